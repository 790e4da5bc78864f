/* The child that lists everything below a path, without anybody's bytes (docs/list-stream.md). */
#include "builtin.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC)
/* A longer file is compared piece by piece, by who asks. */
#define DIGESTED_MAX (1024 * 1024)
#define ENTRY_BYTES (29u + 2u + TREE_NAME_MAX + 2u + PATH_MAX + 1u + SHA256_BYTES)

static char *const *left_out;
static const char *top;
static bool digests;

/* What is listed now, as its absolute path, is one of those to be left out. */
static bool is_left_out(void) {
  size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
  for (char *const *path = left_out; *path != NULL; path++)
    if (strncmp(*path, top, length) == 0 && (*path)[length] == '/' &&
        strcmp(*path + length + 1, builtin_path()) == 0)
      return true;
  return false;
}

static uint8_t letter_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    case S_IFIFO: return 'p';
    default: return 's';
  }
}

static void put_time(uint8_t *out, const struct timespec *time) {
  put_u64(out, (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec);
}

/* 0 bytes: it is no short file, is gone, or its owner has closed it to itself. */
static uint8_t digest_of(int parent, const char *name, const struct stat *stat_of, uint8_t *out) {
  static uint8_t piece[64 * 1024];
  struct sha256 sha;
  if (!digests || !S_ISREG(stat_of->st_mode) || stat_of->st_size > DIGESTED_MAX) return 0;
  int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return 0;
  sha256_begin(&sha);
  ssize_t n = 1;
  for (uint64_t left = DIGESTED_MAX; n > 0 && left > 0; left -= (uint64_t)n) {
    do n = read(fd, piece, left < sizeof piece ? (size_t)left : sizeof piece);
    while (n < 0 && errno == EINTR);
    if (n > 0) sha256_add(&sha, piece, (size_t)n);
    else break;
  }
  close(fd);
  if (n < 0) return 0;
  sha256_end(&sha, out);
  return SHA256_BYTES;
}

static int put_facts(int parent, const char *name, const struct stat *stat_of, const char *content) {
  uint8_t head[29] = {letter_of(stat_of->st_mode)};
  int error = tree_room(ENTRY_BYTES);
  if (error != 0) return error;
  put_u32(head + 1, stat_of->st_mode & 07777);
  put_u64(head + 5, (uint64_t)stat_of->st_size);
  put_time(head + 13, &stat_of->st_mtim);
  put_time(head + 21, &stat_of->st_ctim);
  tree_put(head, sizeof head);
  tree_put_text(name);
  tree_put_text(content);
  uint8_t digest[1 + SHA256_BYTES];
  digest[0] = digest_of(parent, name, stat_of, digest + 1);
  tree_put(digest, 1u + digest[0]);
  return 0;
}

static int list_entry(int parent, const char *name, int depth);

static int list_entries(int fd, int depth) {
  _Alignas(8) char entries[4096];
  for (;;) {
    long n = syscall(SYS_getdents64, fd, entries, sizeof entries);
    /* Removed meanwhile, it has none. */
    if (n <= 0) return n < 0 && errno != ENOENT ? builtin_fail("readdir", errno) : 0;
    for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      if (!builtin_path_push(name)) return builtin_fail("open", ENAMETOOLONG);
      int error = is_left_out() ? 0 : list_entry(fd, name, depth);
      if (error != 0) return error;
      builtin_path_pop();
    }
  }
}

/* One that its owner has closed to itself is listed without what is in it. */
static int list_below(int fd, int depth) {
  static const uint8_t up = TREE_UP;
  int error = 0;
  if (fd < 0 && errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return builtin_fail("open", errno);
  if (fd >= 0) {
    error = depth >= TREE_DEPTH_MAX ? builtin_fail("open", ELOOP) : list_entries(fd, depth + 1);
    close(fd);
  }
  if (error == 0) error = tree_room(1);
  if (error == 0) tree_put(&up, 1);
  return error;
}

static int list_entry(int parent, const char *name, int depth) {
  struct stat stat_of;
  char content[PATH_MAX] = "";
  if (fstatat(parent, name, &stat_of, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || errno == EACCES ? 0 : builtin_fail("stat", errno);
  if (S_ISLNK(stat_of.st_mode)) {
    ssize_t length = readlinkat(parent, name, content, sizeof content - 1);
    if (length < 0) return errno == ENOENT || errno == EINVAL ? 0 : builtin_fail("readlink", errno);
    content[length] = 0;
  }
  int error = put_facts(parent, name, &stat_of, content);
  if (error != 0 || !S_ISDIR(stat_of.st_mode)) return error;
  return list_below(openat(parent, name, DIRECTORY_FLAGS | O_NOFOLLOW), depth);
}

int tree_list(const char *path, char *const *without) {
  static const uint8_t end = TREE_END;
  struct stat stat_of;
  top = path;
  digests = *without != NULL && strcmp(*without, "digest") == 0;
  left_out = without + digests;
  /* A link at the top is followed. */
  int fd = open(path, DIRECTORY_FLAGS);
  if (fd < 0 || fstat(fd, &stat_of) < 0) return builtin_fail("open", errno);
  int error = put_facts(fd, "", &stat_of, "");
  if (error == 0) error = list_below(fd, 0);
  if (error == 0) error = tree_room(1);
  if (error != 0) return error;
  tree_put(&end, 1);
  return tree_flush();
}
