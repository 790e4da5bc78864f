#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each level costs a descriptor and a buffer; what lies deeper is moved up and removed there. */
#define DEPTH_MAX 48
#define PASSES_MAX 1000
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

static int root_fd;

static int remove_contents(int fd, int depth);

static int move_up(int fd, const char *name) {
  static unsigned counter;
  for (int attempt = 0; attempt < PASSES_MAX; attempt++) {
    char fresh[32];
    snprintf(fresh, sizeof fresh, ".vmd-rm-%u", counter++);
    if (renameat(fd, name, root_fd, fresh) == 0 || errno == ENOENT) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) return errno;
  }
  return ENOTEMPTY;
}

static int remove_directory(int fd, const char *name, int depth) {
  if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  if (depth >= DEPTH_MAX) return move_up(fd, name);
  int child = openat(fd, name, DIRECTORY_FLAGS);
  if (child < 0) return errno == ENOENT ? 0 : errno;
  int error = remove_contents(child, depth + 1);
  close(child);
  if (error != 0) return error;
  /* Not empty again: the next pass over the directory above sees to it. */
  return unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY ? 0 : errno;
}

static int remove_entry(int fd, const char *name, int depth) {
  if (unlinkat(fd, name, 0) == 0 || errno == ENOENT) return 0;
  int error = errno;
  struct stat stat_of;
  if (fstatat(fd, name, &stat_of, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : errno;
  return S_ISDIR(stat_of.st_mode) ? remove_directory(fd, name, depth) : error;
}

/* One reading of the directory. *any: there was something. */
static int remove_pass(int fd, int depth, bool *any) {
  _Alignas(8) char entries[4096];
  int first_error = 0;
  if (lseek(fd, 0, SEEK_SET) < 0) return errno;
  for (;;) {
    long n = syscall(SYS_getdents64, fd, entries, sizeof entries);
    if (n < 0) return errno;
    if (n == 0) return first_error;
    for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      *any = true;
      int error = remove_entry(fd, name, depth);
      if (first_error == 0) first_error = error;
    }
  }
}

/* Again and again: entries may be skipped while others are removed, and guests may add some. */
static int remove_contents(int fd, int depth) {
  for (int pass = 0; pass < PASSES_MAX; pass++) {
    bool any = false;
    int error = remove_pass(fd, depth, &any);
    if (error != 0 || !any) return error;
  }
  return ENOTEMPTY;
}

static bool is_root(const struct stat *stat_of) {
  struct stat root;
  return stat("/", &root) == 0 && root.st_dev == stat_of->st_dev && root.st_ino == stat_of->st_ino;
}

int tree_remove(const char *path) {
  struct stat stat_of;
  root_fd = open(path, DIRECTORY_FLAGS);
  if (root_fd < 0) return errno;
  if (fstat(root_fd, &stat_of) < 0) return errno;
  if (is_root(&stat_of)) return EBUSY;
  int error = remove_contents(root_fd, 0);
  close(root_fd);
  if (error != 0) return error;
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0 && errno != ENOENT ? errno : 0;
}
