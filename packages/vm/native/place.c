/* Making the pieces of a VM's root, and putting them in their places. */
#include "host.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct option {
  const char *key, *value; /* value NULL: a flag */
};

static int new_filesystem(const char *type, const struct option *options, size_t count,
                          unsigned attributes) {
  int fs = (int)syscall(NR_FSOPEN, type, 1 /* close on exec */);
  if (fs < 0) return -1;
  int mount = -1;
  for (size_t i = 0; i < count; i++) {
    int how = options[i].value == NULL ? FS_SET_FLAG : FS_SET_STRING;
    if (syscall(NR_FSCONFIG, fs, how, options[i].key, options[i].value, 0) != 0) goto end;
  }
  if (syscall(NR_FSCONFIG, fs, FS_CREATE, NULL, NULL, 0) != 0) goto end;
  mount = (int)syscall(NR_FSMOUNT, fs, 1 /* close on exec */, attributes);
end:;
  int error = errno;
  close(fs);
  errno = error;
  return mount;
}

int new_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode) {
  char size[24], count[24];
  snprintf(size, sizeof size, "%llu", (unsigned long long)bytes);
  snprintf(count, sizeof count, "%llu", (unsigned long long)inodes);
  const struct option options[] = {{"size", size}, {"nr_inodes", count}, {"mode", mode}};
  return new_filesystem("tmpfs", options, 3, ATTR_NOSUID | ATTR_NODEV);
}

int resize_tmpfs(int directory, const char *path, uint64_t bytes, uint64_t inodes) {
  char size[24], count[24];
  snprintf(size, sizeof size, "%llu", (unsigned long long)bytes);
  snprintf(count, sizeof count, "%llu", (unsigned long long)inodes);
  int fs = (int)syscall(NR_FSPICK, directory, path, PICK_CLOEXEC | PICK_NO_LINK);
  if (fs < 0) return -1;
  int result = -1;
  if (syscall(NR_FSCONFIG, fs, FS_SET_STRING, "size", size, 0) == 0 &&
      syscall(NR_FSCONFIG, fs, FS_SET_STRING, "nr_inodes", count, 0) == 0 &&
      syscall(NR_FSCONFIG, fs, FS_RECONFIGURE, NULL, NULL, 0) == 0)
    result = 0;
  int error = errno;
  close(fs);
  errno = error;
  return result;
}

int new_proc(void) {
  return new_filesystem("proc", NULL, 0, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC);
}

/* No gid=5: that group isn't mapped. */
/* The kernel has one bound for the terminals of the whole machine: no VM may take them all. */
int new_devpts(void) {
  static const struct option options[] = {
      {"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "620"}, {"max", "256"}};
  return new_filesystem("devpts", options, 4, ATTR_NOSUID | ATTR_NOEXEC);
}

/* Enters one part of a path; O_NOFOLLOW with O_DIRECTORY fails for a link, whoever made it. */
static int enter(int directory, const char *name) {
  int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(directory, name, flags);
  if (fd >= 0 || errno != ENOENT) return fd;
  if (mkdirat(directory, name, 0755) != 0 && errno != EEXIST) return -1;
  return openat(directory, name, flags);
}

int place_parent(int root, const char *path, const char **name) {
  int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);
  for (;;) {
    path++; /* the slash */
    const char *slash = strchr(path, '/');
    if (fd < 0 || slash == NULL) break;
    char part[256];
    size_t length = (size_t)(slash - path);
    memcpy(part, path, length); /* valid_path: at most 255 */
    part[length] = 0;
    int next = enter(fd, part);
    int error = errno;
    close(fd);
    errno = error;
    fd = next;
    path = slash;
  }
  *name = path;
  return fd;
}

int place_directory(int root, const char *path) {
  const char *name;
  int parent = place_parent(root, path, &name);
  if (parent < 0) return -1;
  int fd = enter(parent, name);
  int error = errno;
  close(parent);
  errno = error;
  return fd;
}

int place_file(int root, const char *path) {
  const char *name;
  int parent = place_parent(root, path, &name);
  if (parent < 0) return -1;
  int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, fd = openat(parent, name, flags);
  if (fd < 0 && errno == ENOENT && mknodat(parent, name, S_IFREG | 0644, 0) == 0)
    fd = openat(parent, name, flags);
  int error = errno;
  close(parent);
  errno = error;
  return fd;
}

int attach(int root, const char *path, int tree) {
  struct stat stat;
  int error = 0, place = -1;
  if (fstat(tree, &stat) == 0)
    place = S_ISDIR(stat.st_mode) ? place_directory(root, path) : place_file(root, path);
  if (place < 0 || move_mount_to(tree, place) != 0) error = errno;
  if (place >= 0) close(place);
  close(tree);
  return error;
}
