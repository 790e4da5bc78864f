#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Paths of the current request: too large for the stack, and requests are handled one by one. */
static struct file_request request;

static uint64_t nanoseconds(struct timespec time) {
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint8_t type_letter(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    default: return 'f';
  }
}

void file_stat_put(uint8_t out[72], const void *of) {
  const struct stat *stat = of;
  memset(out, 0, 72);
  out[0] = type_letter(stat->st_mode);
  put_u32(out + 4, stat->st_mode);
  put_u64(out + 8, (uint64_t)stat->st_size);
  put_u64(out + 16, stat->st_ino);
  put_u32(out + 24, (uint32_t)stat->st_nlink);
  put_u32(out + 28, stat->st_uid);
  put_u32(out + 32, stat->st_gid);
  put_u64(out + 40, nanoseconds(stat->st_mtim));
  put_u64(out + 48, nanoseconds(stat->st_atim));
  put_u64(out + 56, nanoseconds(stat->st_ctim));
  put_u64(out + 64, stat->st_dev);
}

static void result(uint32_t stream, uint16_t tag, const void *value, size_t length) {
  uint8_t payload[6 + PATH_MAX];
  size_t used = tag == 0 ? 0 : field_put(payload, sizeof payload, tag, value, (uint32_t)length);
  link_control(K_FILE_RESULT, stream, 0, payload, (uint32_t)used);
}

/* "link/" would be followed where "link" is not. */
static void strip_slashes(char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') path[--length] = 0;
}

/* 0, -1: does not parse, or an errno. */
static int parse_path(const struct field *field, char *out, bool absolute) {
  const char *bytes;
  size_t length;
  if (!field_bytes(field, &bytes, &length)) return -1;
  if (length == 0 || (absolute && bytes[0] != '/')) return EINVAL;
  return field_string(field, out, sizeof request.path) ? 0 : ENAMETOOLONG;
}

static int parse_field(const struct field *field) {
  switch (field->tag) {
    case F_OP: return field_u8(field, &request.op) ? 0 : -1;
    case F_PATH: return parse_path(field, request.path, true);
    case F_PATH2:
      request.has_path2 = true;
      return parse_path(field, request.path2, false);
    case F_MODE: return field_u32(field, &request.mode) ? 0 : -1;
    case F_LENGTH: return field_u64(field, &request.length) ? 0 : -1;
    case F_START: return field_u64(field, &request.start) ? 0 : -1;
    case F_FILE_FLAGS: return field_u32(field, &request.flags) ? 0 : -1;
    case F_WINDOW: return field_u32(field, &request.window) ? 0 : -1;
    default: return EINVAL;
  }
}

static int parse_request(const uint8_t *payload, size_t length) {
  struct field_reader reader;
  struct field field;
  int next, refused = 0;
  request.op = 0;
  request.has_path2 = false;
  request.path[0] = request.path2[0] = 0;
  request.mode = UINT32_MAX;
  request.flags = 0;
  request.window = WINDOW_DEFAULT_BYTES;
  request.length = request.start = 0;
  fields_begin(&reader, payload, length);
  while ((next = fields_next(&reader, &field)) > 0) {
    int error = parse_field(&field);
    if (error < 0) return -1;
    if (refused == 0) refused = error;
  }
  if (next < 0) return -1;
  if (refused != 0) return refused;
  bool two = request.op == OP_RENAME || request.op == OP_COPY || request.op == OP_SYMLINK;
  if (request.path[0] == 0 || two != request.has_path2) return EINVAL;
  if (two && request.op != OP_SYMLINK && request.path2[0] != '/') return EINVAL;
  if (request.op == OP_RM || request.op == OP_COPY) {
    strip_slashes(request.path);
    strip_slashes(request.path2);
  }
  if (request.window < WINDOW_MIN_BYTES || request.window > WINDOW_MAX_BYTES) return EINVAL;
  return 0;
}

static int make_directory(char *path, mode_t mode, bool recursive) {
  if (mkdir(path, mode) == 0) return 0;
  int error = errno;
  struct stat stat_of;
  if (recursive && error == EEXIST) return stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode) ? 0 : EEXIST;
  if (!recursive || error != ENOENT) return error;
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, mode) < 0 && errno != EEXIST) {
      /* A directory that is there may be on a read-only file system. */
      error = errno;
      if (stat(path, &stat_of) < 0) return error;
    }
    *slash = '/';
  }
  if (mkdir(path, mode) == 0) return 0;
  error = errno;
  return error == EEXIST && stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode) ? 0 : error;
}

/* 0: done; an errno; -1: a directory, which takes a job. */
static int remove_simple(void) {
  if (unlink(request.path) == 0) return 0;
  int error = errno;
  if (error == ENOENT && request.flags & FILE_FORCE) return 0;
  if (!(request.flags & FILE_RECURSIVE)) return error;
  struct stat stat_of;
  return lstat(request.path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode) ? -1 : error;
}

static int set_times(void) {
  struct timespec times[2];
  const uint64_t values[2] = {request.start, request.length};
  for (int i = 0; i < 2; i++)
    times[i] = (struct timespec){(time_t)(values[i] / 1000000000u), (long)(values[i] % 1000000000u)};
  return utimensat(AT_FDCWD, request.path, times, 0) < 0 ? errno : 0;
}

static int answer_stat(uint32_t stream, bool follow) {
  struct stat stat_of;
  uint8_t bytes[72];
  if (fstatat(AT_FDCWD, request.path, &stat_of, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) return errno;
  file_stat_put(bytes, &stat_of);
  result(stream, F_STAT, bytes, sizeof bytes);
  return -1;
}

static int answer_path(uint32_t stream, bool real) {
  static char out[PATH_MAX];
  ssize_t length;
  if (real) length = realpath(request.path, out) == NULL ? -1 : (ssize_t)strlen(out);
  else length = readlink(request.path, out, sizeof out);
  if (length < 0) return errno;
  result(stream, F_PATH, out, (size_t)length);
  return -1;
}

/* What the file system at the path holds, in bytes. */
static int answer_space(uint32_t stream) {
  struct statfs found;
  uint8_t bytes[8];
  if (statfs(request.path, &found) < 0) return errno;
  put_u64(bytes, (uint64_t)(found.f_blocks - found.f_bfree) * (uint64_t)found.f_bsize);
  result(stream, F_LENGTH, bytes, sizeof bytes);
  return -1;
}

static int checked(int returned) { return returned < 0 ? errno : 0; }

static mode_t mode_or(mode_t standard) {
  return request.mode == UINT32_MAX ? standard : request.mode & 07777;
}

/* 0: answer with an empty result; an errno; -1: the answer is on its way. */
static int run(uint32_t stream) {
  int error;
  switch (request.op) {
    case OP_STAT: return answer_stat(stream, true);
    case OP_LSTAT: return answer_stat(stream, false);
    case OP_MKDIR: return make_directory(request.path, mode_or(0777), request.flags & FILE_RECURSIVE);
    case OP_RM:
      error = remove_simple();
      if (error < 0) file_job_start(stream, &request);
      return error;
    case OP_RENAME: return checked(rename(request.path, request.path2));
    case OP_COPY: file_job_start(stream, &request); return -1;
    case OP_SYMLINK: return checked(symlink(request.path2, request.path));
    case OP_READLINK: return answer_path(stream, false);
    case OP_REALPATH: return answer_path(stream, true);
    case OP_SPACE: return answer_space(stream);
    case OP_CHMOD: return request.mode == UINT32_MAX ? EINVAL : checked(chmod(request.path, mode_or(0)));
    case OP_TRUNCATE: return request.length > INT64_MAX ? EINVAL : checked(truncate(request.path, (off_t)request.length));
    case OP_UTIMES: return set_times();
    case OP_READDIR: case OP_READ: case OP_WRITE:
      request.mode = mode_or(0666);
      file_stream_open(stream, &request);
      return -1;
    default: return EINVAL;
  }
}

static const char *step_of(uint8_t op) {
  static const char *const steps[] = {"op", "stat", "lstat", "readdir", "mkdir", "rm", "rename", "copy",
                                      "symlink", "readlink", "chmod", "truncate", "read", "write",
                                      "utimes", "realpath", "space"};
  return op < sizeof steps / sizeof *steps ? steps[op] : "op";
}

bool file_dispatch(uint32_t stream, const uint8_t *payload, size_t length) {
  int error = parse_request(payload, length);
  if (error < 0) return false;
  if (error == 0) error = run(stream);
  if (error == 0) result(stream, 0, NULL, 0);
  else if (error > 0) link_fail(stream, error, step_of(request.op));
  return true;
}
