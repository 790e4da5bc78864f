#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 256
#define CHUNK_BYTES (16u * 1024u * 1024u)
#define QUIET (O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* An entry of an open directory, and where it goes. */
struct copy {
  int from_fd, to_fd;
  const char *from, *to;
  uint32_t flags;
  int depth;
};

static int copy_entry(const struct copy *copy);

static int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

static int copy_by_hand(int in, int out) {
  static char buffer[64 * 1024];
  for (;;) {
    ssize_t n = read(in, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : 0;
    int error = write_all(out, buffer, (size_t)n);
    if (error != 0) return error;
  }
}

/* copy_file_range finds nothing in files of /proc, and does not work between all file systems: what
 * it leaves is read and written. */
static int copy_bytes(int in, int out) {
  for (;;) {
    ssize_t n = copy_file_range(in, NULL, out, NULL, CHUNK_BYTES, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)) return errno;
    if (n <= 0) return copy_by_hand(in, out);
  }
}

/* Replaces a symlink rather than writing through it. */
static int open_target(const struct copy *copy) {
  int flags = O_WRONLY | O_NOFOLLOW | QUIET;
  for (int attempt = 0; attempt < 3; attempt++) {
    int fd = openat(copy->to_fd, copy->to, flags | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 || errno != EEXIST || copy->flags & FILE_NO_OVERWRITE) return fd;
    fd = openat(copy->to_fd, copy->to, flags);
    if (fd >= 0) return fd;
    if (errno == ENXIO) errno = EINVAL;
    if (errno == ELOOP && unlinkat(copy->to_fd, copy->to, 0) < 0 && errno != ENOENT) return -1;
    if (errno != ELOOP && errno != ENOENT) return -1;
  }
  return -1;
}

static int copy_into(int in, int out, const struct stat *from) {
  struct stat to;
  if (fstat(out, &to) < 0) return errno;
  if (!S_ISREG(to.st_mode) || (to.st_dev == from->st_dev && to.st_ino == from->st_ino)) return EINVAL;
  if (ftruncate(out, 0) < 0) return errno;
  int error = copy_bytes(in, out);
  if (error == 0 && fchmod(out, from->st_mode & 0777) < 0) error = errno;
  return error;
}

static int copy_file(const struct copy *copy) {
  int follow = copy->flags & FILE_RECURSIVE ? O_NOFOLLOW : 0;
  int in = openat(copy->from_fd, copy->from, O_RDONLY | QUIET | follow);
  if (in < 0) return errno;
  struct stat from;
  int error = fstat(in, &from) < 0 ? errno : S_ISREG(from.st_mode) ? 0 : EINVAL;
  if (error == 0) {
    int out = open_target(copy);
    error = out < 0 ? errno : copy_into(in, out, &from);
    if (out >= 0 && close(out) < 0 && error == 0) error = errno;
  }
  close(in);
  return error;
}

static int copy_link(const struct copy *copy) {
  char content[PATH_MAX];
  ssize_t length = readlinkat(copy->from_fd, copy->from, content, sizeof content - 1);
  if (length < 0) return errno;
  content[length] = 0;
  if (symlinkat(content, copy->to_fd, copy->to) == 0) return 0;
  if (errno != EEXIST || copy->flags & FILE_NO_OVERWRITE) return errno;
  if (unlinkat(copy->to_fd, copy->to, 0) < 0 && errno != ENOENT) return errno;
  return symlinkat(content, copy->to_fd, copy->to) < 0 ? errno : 0;
}

static int copy_contents(const struct copy *above, int from_fd, int to_fd) {
  _Alignas(8) char entries[4096];
  for (;;) {
    long n = syscall(SYS_getdents64, from_fd, entries, sizeof entries);
    if (n <= 0) return n < 0 ? errno : 0;
    for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      struct copy copy = {from_fd, to_fd, name, name, above->flags, above->depth + 1};
      int error = copy_entry(&copy);
      if (error != 0 && error != ENOENT) return error;
    }
  }
}

static int copy_directory(const struct copy *copy) {
  if (!(copy->flags & FILE_RECURSIVE)) return EISDIR;
  if (copy->depth >= DEPTH_MAX) return ELOOP;
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | QUIET;
  int from_fd = openat(copy->from_fd, copy->from, flags);
  if (from_fd < 0) return errno;
  bool created = mkdirat(copy->to_fd, copy->to, 0700) == 0;
  int error = created || errno == EEXIST ? 0 : errno;
  int to_fd = error == 0 ? openat(copy->to_fd, copy->to, flags) : -1;
  if (error == 0 && to_fd < 0) error = errno == ELOOP ? ENOTDIR : errno;
  struct stat from, to;
  if (error == 0 && (fstat(from_fd, &from) < 0 || fstat(to_fd, &to) < 0)) error = errno;
  if (error == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino) error = EINVAL;
  if (error == 0) error = copy_contents(copy, from_fd, to_fd);
  /* At the end, so that a directory without write permission can be filled. */
  if (error == 0 && created && fchmod(to_fd, from.st_mode & 0777) < 0) error = errno;
  if (to_fd >= 0) close(to_fd);
  close(from_fd);
  return error;
}

static int copy_entry(const struct copy *copy) {
  struct stat from;
  int follow = copy->flags & FILE_RECURSIVE ? AT_SYMLINK_NOFOLLOW : 0;
  if (fstatat(copy->from_fd, copy->from, &from, follow) < 0) return errno;
  if (S_ISDIR(from.st_mode)) return copy_directory(copy);
  if (S_ISLNK(from.st_mode)) return copy_link(copy);
  return S_ISREG(from.st_mode) ? copy_file(copy) : EINVAL;
}

/* Whether the target lies in the directory that is copied, which would never end. */
static bool lies_within(const char *to, const char *from) {
  char parent[PATH_MAX];
  struct stat source, at, above;
  size_t length = (size_t)(strrchr(to, '/') - to);
  if (stat(from, &source) < 0) return false;
  memcpy(parent, to, length);
  memcpy(parent + length, length == 0 ? "/" : "", length == 0 ? 2 : 1);
  int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  bool within = false;
  while (fd >= 0 && !within && fstat(fd, &at) == 0) {
    within = at.st_dev == source.st_dev && at.st_ino == source.st_ino;
    int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(fd);
    fd = up;
    if (up >= 0 && fstat(up, &above) == 0 && above.st_dev == at.st_dev && above.st_ino == at.st_ino) break;
  }
  if (fd >= 0) close(fd);
  return within;
}

int tree_copy(const char *from, const char *to, uint32_t flags) {
  struct stat stat_of;
  if (flags & FILE_RECURSIVE && lstat(from, &stat_of) == 0 && S_ISDIR(stat_of.st_mode) && lies_within(to, from))
    return EINVAL;
  struct copy copy = {AT_FDCWD, AT_FDCWD, from, to, flags, 0};
  return copy_entry(&copy);
}
