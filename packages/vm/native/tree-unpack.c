#include "builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define FILE_FLAGS (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)
#define OWNER_BITS 0700u

/* Directories that are open: the top, and those within it. */
static struct open_directory {
  int fd;
  bool keeps; /* its own mode and time */
  uint32_t mode;
  uint64_t mtime;
} stack[TREE_DEPTH_MAX];
static int depth;

/* One name: it can't lead anywhere but into the directory that is open. Only the top's is empty. */
static int take_name(char *out) {
  int error = tree_take_text(out, TREE_NAME_MAX);
  if (error != 0) return error;
  if (depth == 0) return out[0] == 0 ? 0 : tree_malformed();
  if (out[0] == 0 || strchr(out, '/') != NULL || strcmp(out, ".") == 0 || strcmp(out, "..") == 0) return tree_malformed();
  return builtin_path_push(out) ? 0 : builtin_fail("open", ENAMETOOLONG);
}

static int take_times(uint32_t *mode, uint64_t *mtime) {
  uint8_t bytes[12];
  int error = tree_take(bytes, sizeof bytes);
  /* Set-id bits stay behind. */
  *mode = get_u32(bytes) & 0777;
  *mtime = get_u64(bytes + 4);
  return error;
}

static int set_attributes(int fd, uint32_t mode, uint64_t mtime) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                              {(time_t)(mtime / 1000000000u), (long)(mtime % 1000000000u)}};
  if (fchmod(fd, mode) < 0) return builtin_fail("chmod", errno);
  return futimens(fd, times) < 0 ? builtin_fail("utimes", errno) : 0;
}

static int write_pieces(int fd, uint64_t size) {
  uint64_t written = 0;
  for (;;) {
    uint8_t head[12];
    int error = tree_take(head, sizeof head);
    if (error != 0) return error;
    uint64_t offset = get_u64(head);
    uint32_t length = get_u32(head + 8);
    if (length == 0) break;
    if (length > TREE_PIECE_MAX || offset < written || size > INT64_MAX || offset > size || length > size - offset)
      return tree_malformed();
    if ((error = tree_take_into(fd, offset, length)) != 0) return error;
    written = offset + length;
  }
  /* A hole at the end. */
  return written < size && ftruncate(fd, (off_t)size) < 0 ? builtin_fail("write", errno) : 0;
}

/* A new file: `name`, or one that will be given that name where something has it. */
static int create(int parent, const char *name, char fresh[32]) {
  fresh[0] = 0;
  int fd = openat(parent, name, FILE_FLAGS, 0600);
  for (int attempt = 0; fd < 0 && errno == EEXIST && attempt < 16; attempt++) {
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return -1;
    snprintf(fresh, 32, ".agentos-%016llx", (unsigned long long)number);
    fd = openat(parent, fresh, FILE_FLAGS, 0600);
  }
  return fd;
}

static int write_file(int parent, const char *name) {
  uint32_t mode;
  uint64_t mtime;
  uint8_t size[8];
  char own[TREE_NAME_MAX + 1], fresh[32];
  int error = take_times(&mode, &mtime);
  if (error == 0) error = tree_take(size, sizeof size);
  if (error == 0) error = take_name(own);
  if (error != 0) return error;
  if (depth > 0) name = own;
  int fd = create(parent, name, fresh);
  if (fd < 0) return builtin_fail("open", errno);
  error = write_pieces(fd, get_u64(size));
  if (error == 0) error = set_attributes(fd, mode, mtime);
  /* Some file systems tell of a full disk only here. */
  if (close(fd) < 0 && error == 0) error = builtin_fail("write", errno);
  if (error == 0 && fresh[0] != 0 && renameat(parent, fresh, parent, name) < 0) error = builtin_fail("open", errno);
  /* Nothing half is left under a name that somebody asked for, nor under ours. */
  if (error != 0) unlinkat(parent, fresh[0] != 0 ? fresh : name, 0);
  return error;
}

static int make_link(void) {
  char name[TREE_NAME_MAX + 1], content[TREE_TEXT_MAX + 1];
  int error = take_name(name);
  if (error == 0) error = tree_take_text(content, TREE_TEXT_MAX);
  if (error != 0) return error;
  if (depth == 0 || content[0] == 0) return tree_malformed();
  int parent = stack[depth - 1].fd;
  if (symlinkat(content, parent, name) == 0) return 0;
  if (errno != EEXIST) return builtin_fail("symlink", errno);
  if (unlinkat(parent, name, 0) < 0) return builtin_fail("symlink", errno);
  return symlinkat(content, parent, name) < 0 ? builtin_fail("symlink", errno) : 0;
}

/* The directory of a path below the top, no link followed; *name is its last part. */
static int open_above(char *path, char **name) {
  int at = dup(stack[0].fd);
  for (char *slash; at >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
    *slash = 0;
    int next = strcmp(path, "..") == 0 || path[0] == 0 ? -1 : openat(at, path, DIRECTORY_FLAGS);
    close(at);
    at = next;
  }
  *name = path;
  if (at < 0 || (path[0] != 0 && strcmp(path, "..") != 0)) return at;
  close(at);
  return -1;
}

static int make_hard_link(void) {
  char name[TREE_NAME_MAX + 1], path[TREE_TEXT_MAX + 1], *last;
  int error = take_name(name);
  if (error == 0) error = tree_take_text(path, TREE_TEXT_MAX);
  if (error != 0) return error;
  if (depth == 0) return tree_malformed();
  int parent = stack[depth - 1].fd, above = open_above(path, &last);
  if (above < 0) return tree_malformed();
  error = linkat(above, last, parent, name, 0) < 0 ? errno : 0;
  if (error == EEXIST)
    error = unlinkat(parent, name, 0) < 0 || linkat(above, last, parent, name, 0) < 0 ? errno : 0;
  close(above);
  return error == 0 ? 0 : builtin_fail("link", error);
}

/* A real directory: what else has its name is replaced. */
static int open_within(int parent, const char *name) {
  if (mkdirat(parent, name, OWNER_BITS) < 0 && errno != EEXIST) return -1;
  int fd = openat(parent, name, DIRECTORY_FLAGS);
  if (fd >= 0 || (errno != ENOTDIR && errno != ELOOP)) return fd;
  if (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, OWNER_BITS) < 0) return -1;
  return openat(parent, name, DIRECTORY_FLAGS);
}

/* The top's name may be a link that leads to a directory. One that is there stays as it is. */
static int open_top(int parent, const char *name, bool *was_there) {
  *was_there = mkdirat(parent, name, OWNER_BITS) < 0;
  if (*was_there && errno != EEXIST) return -1;
  return openat(parent, name, DIRECTORY_FLAGS & ~O_NOFOLLOW);
}

static int enter(int parent, const char *name) {
  struct open_directory directory = {.keeps = false};
  char own[TREE_NAME_MAX + 1];
  int error = take_times(&directory.mode, &directory.mtime);
  if (error == 0) error = take_name(own);
  if (error != 0) return error;
  if (depth == TREE_DEPTH_MAX) return builtin_fail("mkdir", ELOOP);
  directory.fd = depth == 0 ? open_top(parent, name, &directory.keeps) : open_within(parent, own);
  if (directory.fd < 0) return builtin_fail("mkdir", errno);
  stack[depth++] = directory;
  /* It may have been there, and must be written to. */
  if (!directory.keeps && fchmod(directory.fd, directory.mode | OWNER_BITS) < 0) return builtin_fail("chmod", errno);
  return 0;
}

static int leave(void) {
  if (depth == 0) return tree_malformed();
  struct open_directory *directory = &stack[--depth];
  int error = directory->keeps ? 0 : set_attributes(directory->fd, directory->mode, directory->mtime);
  close(directory->fd);
  if (error == 0 && depth > 0) builtin_path_pop();
  return error;
}

static int skip(void) {
  char type, name[TREE_NAME_MAX + 1];
  int error = tree_take(&type, 1);
  return error == 0 ? take_name(name) : error;
}

static int unpack_record(uint8_t kind) {
  int parent = stack[depth - 1].fd, error = tree_malformed();
  if (kind == TREE_UP) return leave();
  if (kind == TREE_DIRECTORY) return enter(parent, NULL);
  if (kind == TREE_FILE) error = write_file(parent, NULL);
  if (kind == TREE_LINK) error = make_link();
  if (kind == BUILTIN_HARD_LINK) error = make_hard_link();
  if (kind == TREE_SKIPPED) error = skip();
  if (error == 0) builtin_path_pop();
  return error;
}

static int expect_end(void) {
  uint8_t kind;
  int error = tree_take(&kind, 1);
  return error != 0 ? error : kind == TREE_END ? 0 : tree_malformed();
}

/* The top is a file or a directory, and lies at `name` in `parent`. */
static int unpack_top(int parent, const char *name) {
  uint8_t kind;
  int error = tree_take(&kind, 1);
  if (error != 0) return error;
  if (kind != TREE_DIRECTORY && kind != TREE_FILE) return tree_malformed();
  error = kind == TREE_FILE ? write_file(parent, name) : enter(parent, name);
  while (error == 0 && depth > 0) {
    error = tree_take(&kind, 1);
    if (error == 0) error = unpack_record(kind);
  }
  return error == 0 ? expect_end() : error;
}

/* Makes what is missing above. */
static int open_parent(char *path, const char **name) {
  char *slash = strrchr(path, '/');
  *name = slash[1] == 0 ? "." : slash + 1;
  *slash = 0;
  for (char *part = path; part != NULL && *part != 0; part = strchr(part + 1, '/')) {
    char *end = strchr(part + 1, '/');
    if (end != NULL) *end = 0;
    /* One that is there may be on a read-only file system: opening it tells. */
    (void)mkdir(path, 0755);
    if (end != NULL) *end = '/';
  }
  return open(*path == 0 ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int tree_unpack(const char *path) {
  static char copy[PATH_MAX];
  const char *name;
  int error = path[0] != '/' || strlen(path) >= sizeof copy ? builtin_fail("open", path[0] != '/' ? EINVAL : ENAMETOOLONG) : 0;
  if (error == 0) {
    memcpy(copy, path, strlen(path) + 1);
    for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/';) copy[--end] = 0;
    umask(0);
    int parent = open_parent(copy, &name);
    error = parent < 0 ? builtin_fail("open", errno) : unpack_top(parent, name);
  }
  return error;
}
