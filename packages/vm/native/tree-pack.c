#include "builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE_BYTES (128u * 1024u)
#define ENTRY_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define DIRECTORY_FLAGS (ENTRY_FLAGS | O_DIRECTORY)
/* Files with several names that are remembered; the names of further ones become files of their own. */
#define LINKED_MAX 16384u

static struct {
  dev_t dev;
  ino_t ino;
  char *path;
} linked[LINKED_MAX];

static void put_times(uint8_t kind, const struct stat *stat_of) {
  uint8_t head[13] = {kind};
  put_u32(head + 1, stat_of->st_mode & 0777);
  put_u64(head + 5, (uint64_t)stat_of->st_mtim.tv_sec * 1000000000u + (uint64_t)stat_of->st_mtim.tv_nsec);
  tree_put(head, sizeof head);
}

static int put_two(uint8_t kind, const char *name, const char *text) {
  int error = tree_room(1 + 4 + strlen(name) + strlen(text));
  if (error != 0) return error;
  tree_put(&kind, 1);
  tree_put_text(name);
  tree_put_text(text);
  return 0;
}

static int put_skipped(const char *name, mode_t mode) {
  uint8_t head[2] = {TREE_SKIPPED, S_ISCHR(mode) ? 'c' : S_ISBLK(mode) ? 'b' : S_ISFIFO(mode) ? 'p' : 's'};
  int error = tree_room(sizeof head + 2 + strlen(name));
  if (error != 0) return error;
  tree_put(head, sizeof head);
  tree_put_text(name);
  return 0;
}

static int put_piece_head(uint64_t offset, uint32_t length) {
  uint8_t head[12];
  put_u64(head, offset);
  put_u32(head + 8, length);
  int error = tree_room(sizeof head + length);
  if (error == 0) tree_put(head, sizeof head);
  return error;
}

/* Up to PIECE_BYTES of the file at `offset`, read in place; *length: what there was. */
static int put_piece(int fd, uint64_t offset, uint64_t most, size_t *length) {
  int error = tree_room(12 + PIECE_BYTES);
  if (error != 0) return error;
  char *spare = tree_spare();
  ssize_t n;
  do n = pread(fd, spare + 12, most < PIECE_BYTES ? (size_t)most : PIECE_BYTES, (off_t)offset);
  while (n < 0 && errno == EINTR);
  if (n < 0) return builtin_fail("read", errno);
  *length = (size_t)n;
  if (n == 0) return 0;
  put_u64(spare, offset);
  put_u32(spare + 8, (uint32_t)n);
  tree_filled(12 + (size_t)n);
  return 0;
}

/* What lies between holes. A file that shrinks meanwhile ends early; one that grows keeps its size. */
static int put_contents(int fd, uint64_t size, bool sparse) {
  uint64_t at = 0;
  while (at < size) {
    uint64_t end = size;
    off_t data = sparse ? lseek(fd, (off_t)at, SEEK_DATA) : (off_t)at;
    if (data < 0 && errno == ENXIO) break;
    if (sparse && data >= 0) {
      off_t hole = lseek(fd, data, SEEK_HOLE);
      at = (uint64_t)data;
      if (hole > data && (uint64_t)hole < end) end = (uint64_t)hole;
    }
    for (size_t length = 0; at < end; at += length) {
      int error = put_piece(fd, at, end - at, &length);
      if (error != 0) return error;
      if (length == 0) return put_piece_head(0, 0);
    }
  }
  return put_piece_head(0, 0);
}

/* True: it was sent before, as *path. Else it is remembered. */
static bool was_sent(const struct stat *stat_of, const char **path) {
  uint32_t slot = (uint32_t)((uint64_t)stat_of->st_ino * 2654435761u) % LINKED_MAX;
  for (uint32_t tries = 0; tries < 64; tries++, slot = (slot + 1) % LINKED_MAX) {
    if (linked[slot].path == NULL) {
      if (strlen(builtin_path()) > TREE_TEXT_MAX) return false;
      linked[slot].path = strdup(builtin_path());
      linked[slot].dev = stat_of->st_dev;
      linked[slot].ino = stat_of->st_ino;
      return false;
    }
    if (linked[slot].ino != stat_of->st_ino || linked[slot].dev != stat_of->st_dev) continue;
    *path = linked[slot].path;
    return true;
  }
  return false;
}

static int put_file(int fd, const char *name, const struct stat *stat_of) {
  const char *path;
  if (stat_of->st_nlink > 1 && was_sent(stat_of, &path)) return put_two(BUILTIN_HARD_LINK, name, path);
  uint8_t size[8];
  int error = tree_room(13 + sizeof size + 2 + TREE_NAME_MAX);
  if (error != 0) return error;
  put_times(TREE_FILE, stat_of);
  put_u64(size, (uint64_t)stat_of->st_size);
  tree_put(size, sizeof size);
  tree_put_text(name);
  bool sparse = (uint64_t)stat_of->st_blocks * 512 < (uint64_t)stat_of->st_size;
  return put_contents(fd, (uint64_t)stat_of->st_size, sparse);
}

static int put_entry(int parent, const char *name, int depth);

static int put_entries(int fd, int depth) {
  _Alignas(8) char entries[4096];
  for (;;) {
    long n = syscall(SYS_getdents64, fd, entries, sizeof entries);
    if (n <= 0) return n < 0 ? builtin_fail("readdir", errno) : 0;
    for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      if (!builtin_path_push(name)) return builtin_fail("open", ENAMETOOLONG);
      int error = put_entry(fd, name, depth + 1);
      if (error != 0) return error;
      builtin_path_pop();
    }
  }
}

static int put_directory(int fd, const char *name, const struct stat *stat_of, int depth) {
  static const uint8_t up = TREE_UP;
  if (depth >= TREE_DEPTH_MAX) return builtin_fail("open", ELOOP);
  int error = tree_room(13 + 2 + TREE_NAME_MAX);
  if (error != 0) return error;
  put_times(TREE_DIRECTORY, stat_of);
  tree_put_text(name);
  if ((error = put_entries(fd, depth)) != 0 || (error = tree_room(1)) != 0) return error;
  tree_put(&up, 1);
  return 0;
}

static int put_opened(int fd, const char *name, int depth) {
  struct stat stat_of;
  if (fstat(fd, &stat_of) < 0) return builtin_fail("stat", errno);
  if (S_ISDIR(stat_of.st_mode)) return put_directory(fd, name, &stat_of, depth);
  return S_ISREG(stat_of.st_mode) ? put_file(fd, name, &stat_of) : put_skipped(name, stat_of.st_mode);
}

static int put_link(int parent, const char *name) {
  char content[PATH_MAX];
  ssize_t length = readlinkat(parent, name, content, sizeof content - 1);
  if (length < 0) return errno == ENOENT ? 0 : builtin_fail("readlink", errno);
  content[length] = 0;
  return put_two(TREE_LINK, name, content);
}

/* Looked at before it is opened: opening a device or a pipe may do something. */
static int put_entry(int parent, const char *name, int depth) {
  struct stat stat_of;
  if (fstatat(parent, name, &stat_of, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : builtin_fail("stat", errno);
  if (S_ISLNK(stat_of.st_mode)) return put_link(parent, name);
  if (!S_ISREG(stat_of.st_mode) && !S_ISDIR(stat_of.st_mode)) return put_skipped(name, stat_of.st_mode);
  int fd = openat(parent, name, S_ISDIR(stat_of.st_mode) ? DIRECTORY_FLAGS : ENTRY_FLAGS);
  /* It is gone, or became a link: as if it had never been looked at. */
  if (fd < 0) return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? 0 : builtin_fail("open", errno);
  int error = put_opened(fd, name, depth);
  close(fd);
  return error;
}

int tree_pack(const char *path) {
  static const uint8_t end = TREE_END;
  struct stat stat_of;
  int error = stat(path, &stat_of) < 0 ? builtin_fail("stat", errno) : 0;
  if (error == 0 && !S_ISREG(stat_of.st_mode) && !S_ISDIR(stat_of.st_mode)) error = builtin_fail("open", EINVAL);
  /* A link at the top is followed. */
  int fd = error == 0 ? open(path, ENTRY_FLAGS & ~O_NOFOLLOW) : -1;
  if (error == 0) error = fd < 0 ? builtin_fail("open", errno) : put_opened(fd, "", 0);
  if (error == 0) error = tree_room(1);
  if (error == 0) {
    tree_put(&end, 1);
    error = tree_flush();
  }
  return error;
}
