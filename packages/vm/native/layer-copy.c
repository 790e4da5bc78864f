/*
 * Copies a frozen layer on top of what is there: marks of removal and opaque directories are obeyed
 * and kept, because more may lie below. Sockets stay behind: nobody listens on a copy.
 */
#include "host.h"
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEPTH_MAX = 400, NAMES_BYTES = 64 * 1024, VALUE_BYTES = 64 * 1024 };
static const char opaque_name[] = "user.overlay.opaque";

/* An open directory of the layer, and its copy. */
struct pair {
  int from, to, depth;
  struct copied *copied;
};

typedef int visit_entry(const struct pair *pair, const char *name);

static int each_entry(const struct pair *pair, visit_entry *visit) {
  _Alignas(8) char entries[4096];
  for (;;) {
    long n = syscall(SYS_getdents64, pair->from, entries, sizeof entries);
    if (n <= 0) return n < 0 ? errno : 0;
    for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      int error = visit(pair, name);
      if (error) return error;
    }
  }
}

static int open_directory(int at, const char *name) {
  return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int remove_entry(const struct pair *pair, const char *name) {
  if (unlinkat(pair->from, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  if (pair->depth >= DEPTH_MAX) return ELOOP;
  struct pair below = {open_directory(pair->from, name), -1, pair->depth + 1, NULL};
  if (below.from < 0) return errno;
  int error = each_entry(&below, remove_entry);
  close(below.from);
  if (error) return error;
  return unlinkat(pair->from, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

static bool is_whiteout(const struct stat *stat) {
  return S_ISCHR(stat->st_mode) && stat->st_rdev == 0;
}

static bool is_opaque(int directory) {
  char value;
  return fgetxattr(directory, opaque_name, &value, 1) == 1 && value == 'y';
}

/* Of the overlay's own attributes only that one means something in another place. */
static bool is_kept(const char *name) {
  return strncmp(name, "user.", 5) == 0 &&
         (strncmp(name, "user.overlay.", 13) != 0 || strcmp(name, opaque_name) == 0);
}

static int copy_attributes(int from, int to) {
  static char names[NAMES_BYTES], value[VALUE_BYTES];
  ssize_t length = flistxattr(from, names, sizeof names);
  if (length < 0) return errno == ENOTSUP ? 0 : errno;
  for (const char *name = names; name < names + length; name += strlen(name) + 1) {
    if (!is_kept(name)) continue;
    ssize_t size = fgetxattr(from, name, value, sizeof value);
    if (size < 0) return errno;
    if (fsetxattr(to, name, value, (size_t)size, 0) != 0 && errno != ENOTSUP) return errno;
  }
  return 0;
}

static int set_times(int fd, const struct stat *stat) {
  const struct timespec times[2] = {stat->st_atim, stat->st_mtim};
  return futimens(fd, times) == 0 ? 0 : errno;
}

static int copy_extent(int in, int out, off_t at, off_t end) {
  static char buffer[64 * 1024];
  while (at < end) {
    loff_t source = at, target = at;
    ssize_t n = copy_file_range(in, &source, out, &target, (size_t)(end - at), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)) return errno;
    if (n > 0) {
      at += n;
      continue;
    }
    size_t size = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    n = pread(in, buffer, size, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : 0;
    if (pwrite(out, buffer, (size_t)n, at) != n) return errno != 0 ? errno : EIO;
    at += n;
  }
  return 0;
}

/* What holds no data takes no room in the copy either. */
static int copy_data(int in, int out, off_t size, struct copied *copied) {
  int error = ftruncate(out, size) == 0 ? 0 : errno;
  for (off_t at = 0; error == 0 && at < size;) {
    off_t data = lseek(in, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) data = at;
    off_t hole = lseek(in, data, SEEK_HOLE);
    if (hole <= data) hole = size;
    error = copy_extent(in, out, data, hole);
    copied->bytes += (uint64_t)(hole - data);
    at = hole;
  }
  return error;
}

static int copy_file(const struct pair *pair, const char *name, const struct stat *stat) {
  int in = openat(pair->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (in < 0) return errno;
  int out = openat(pair->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int error = out < 0 ? errno : copy_data(in, out, stat->st_size, pair->copied);
  if (error == 0) error = copy_attributes(in, out);
  if (error == 0 && fchmod(out, stat->st_mode & 0777) != 0) error = errno;
  if (error == 0) error = set_times(out, stat);
  if (out >= 0 && close(out) != 0 && error == 0) error = errno;
  close(in);
  return error;
}

static int copy_link(const struct pair *pair, const char *name, const struct stat *stat) {
  char content[PATH_MAX];
  ssize_t length = readlinkat(pair->from, name, content, sizeof content - 1);
  if (length < 0) return errno;
  content[length] = 0;
  if (symlinkat(content, pair->to, name) != 0) return errno;
  const struct timespec times[2] = {stat->st_atim, stat->st_mtim};
  return utimensat(pair->to, name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

static int fill(const struct pair *pair);

/* `hidden`: what lay here below is gone, so a directory in its place shows nothing of it. */
static int copy_directory(const struct pair *pair, const char *name, const struct stat *stat,
                          bool merge, bool hidden) {
  if (pair->depth >= DEPTH_MAX) return ELOOP;
  struct pair below = {open_directory(pair->from, name), -1, pair->depth + 1, pair->copied};
  if (below.from < 0) return errno;
  int error = 0;
  if (merge && is_opaque(below.from)) {
    struct pair target = {pair->to, -1, pair->depth, NULL};
    error = remove_entry(&target, name);
    merge = false;
  }
  if (error == 0 && !merge && mkdirat(pair->to, name, 0700) != 0) error = errno;
  if (error == 0 && (below.to = open_directory(pair->to, name)) < 0) error = errno;
  if (error == 0) error = fill(&below);
  if (error == 0) error = copy_attributes(below.from, below.to);
  if (error == 0 && hidden && fsetxattr(below.to, opaque_name, "y", 1, 0) != 0) error = errno;
  if (error == 0 && fchmod(below.to, stat->st_mode & 01777) != 0) error = errno;
  if (error == 0) error = set_times(below.to, stat);
  if (below.to >= 0) close(below.to);
  close(below.from);
  return error;
}

static int copy_entry(const struct pair *pair, const char *name) {
  struct stat from, to;
  if (fstatat(pair->from, name, &from, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (S_ISSOCK(from.st_mode)) return 0;
  bool there = fstatat(pair->to, name, &to, AT_SYMLINK_NOFOLLOW) == 0;
  bool merge = there && S_ISDIR(from.st_mode) && S_ISDIR(to.st_mode);
  if (there && !merge) {
    struct pair target = {pair->to, -1, pair->depth, NULL};
    int error = remove_entry(&target, name);
    if (error) return error;
  }
  pair->copied->files++;
  if (S_ISDIR(from.st_mode)) return copy_directory(pair, name, &from, merge, there && !merge);
  if (S_ISREG(from.st_mode)) return copy_file(pair, name, &from);
  if (S_ISLNK(from.st_mode)) return copy_link(pair, name, &from);
  if (is_whiteout(&from)) return mknodat(pair->to, name, S_IFCHR, 0) == 0 ? 0 : errno;
  if (S_ISFIFO(from.st_mode))
    return mkfifoat(pair->to, name, from.st_mode & 0777) == 0 ? 0 : errno;
  return 0;
}

static int fill(const struct pair *pair) { return each_entry(pair, copy_entry); }

/* What lies in /run is of the processes that run. */
static int copy_top(const struct pair *pair, const char *name) {
  return strcmp(name, "run") == 0 ? 0 : copy_entry(pair, name);
}

int layer_copy(int from, int to, struct copied *copied) {
  struct pair pair = {openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), to, 0, copied};
  if (pair.from < 0) return errno;
  int error = each_entry(&pair, copy_top);
  close(pair.from);
  return error;
}
