/* The child that watches a path with inotify and writes what happens to stdout (docs/watch-stream.md). A
 * reader that is slow stops it, and what the kernel drops meanwhile is told as an overflow. */
#include "builtin.h"
#include "watch-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN (IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF)
#define QUIET (IN_DONT_FOLLOW | IN_EXCL_UNLINK)

static int watch_fd = -1, mounts_fd = -1;
static bool recursive;
static char top[PATH_MAX];

/* A name that went, until the next event says whether it came elsewhere. */
static struct {
  uint32_t cookie; /* 0: none */
  uint32_t above;
  uint8_t type;
  char name[NAME_MAX + 1];
} moved;

static int tell_in(uint8_t kind, uint8_t type, uint32_t above, const char *name) {
  char path[WATCH_PATH_BYTES];
  return watch_path(above, name, path) ? watch_tell(kind, type, path, "") : watch_tell(WATCH_OVERFLOW, 0, "", "");
}

/* Where the directory lies, for system calls. */
static bool full_path(uint32_t above, const char *name, char out[PATH_MAX]) {
  char below[WATCH_PATH_BYTES];
  if (!watch_path(above, name, below)) return false;
  size_t length = strlen(top), slash = below[0] != 0;
  if (length + slash + strlen(below) >= PATH_MAX) return false;
  memcpy(out, top, length);
  if (slash) out[length] = '/';
  memcpy(out + length + slash, below, strlen(below) + 1);
  return true;
}

static int add_directory(uint32_t above, const char *name, bool is_new);

static uint8_t type_of(const char *directory, const char *name, uint8_t entry) {
  struct stat stat_of;
  char path[PATH_MAX];
  if (entry != DT_UNKNOWN) return entry == DT_DIR ? 'd' : 'f';
  size_t length = strlen(directory);
  if (length + strlen(name) + 2 > sizeof path) return 'f';
  memcpy(path, directory, length);
  path[length] = '/';
  memcpy(path + length + 1, name, strlen(name) + 1);
  return lstat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode) ? 'd' : 'f';
}

/* What a directory holds already. Of a new one it is told: it came before the watch did. */
static int add_contents(uint32_t index, const char *path, bool is_new) {
  _Alignas(8) char entries[4096];
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), error = 0;
  if (fd < 0) return 0;
  for (long n; error == 0 && (n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
    for (long at = 0; error == 0 && at < n; at += get_u16(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
      uint8_t type = type_of(path, name, (uint8_t)entries[at + 18]);
      if (is_new) error = tell_in(WATCH_CREATED, type, index, name);
      if (error == 0 && type == 'd') error = add_directory(index, name, is_new);
    }
  close(fd);
  return error;
}

/* One that is gone again is no error; one too many is told. */
static int add_directory(uint32_t above, const char *name, bool is_new) {
  char path[PATH_MAX];
  if (!full_path(above, name, path)) return watch_tell(WATCH_OVERFLOW, 0, "", "");
  int wd = inotify_add_watch(watch_fd, path, SEEN | QUIET | IN_ONLYDIR);
  if (wd < 0) return errno == ENOSPC || errno == ENOMEM ? watch_tell(WATCH_OVERFLOW, 0, "", "") : 0;
  /* It was seen already: by its event, and by the look into the directory above. */
  if (watch_node_of(wd) != NULL) return 0;
  struct watch_node *node = watch_node_add(wd, above, name);
  if (node != NULL) return add_contents(watch_node_index(node), path, is_new);
  inotify_rm_watch(watch_fd, wd);
  return watch_tell(WATCH_OVERFLOW, 0, "", "");
}

static bool is_within(const struct watch_node *node, uint32_t index) {
  for (uint32_t depth = 0; node != NULL && depth < WATCH_NODES_MAX; depth++) {
    if (watch_node_index(node) == index) return true;
    if (node->above == watch_node_index(node)) return false;
    node = watch_node_at(node->above);
  }
  return false;
}

/* It left the tree: nothing of it is watched any more. */
static void forget_directory(uint32_t index) {
  for (uint32_t i = WATCH_NODES_MAX; i-- > 0;) {
    struct watch_node *node = watch_node_at(i);
    /* Dropped when the kernel says so. */
    if (node != NULL && is_within(node, index)) inotify_rm_watch(watch_fd, node->wd);
  }
}

static int end_move(void) {
  if (moved.cookie == 0) return 0;
  moved.cookie = 0;
  struct watch_node *node = watch_node_in(moved.above, moved.name);
  if (node != NULL) forget_directory(watch_node_index(node));
  return tell_in(WATCH_REMOVED, moved.type, moved.above, moved.name);
}

static int came(const struct inotify_event *event, uint32_t above, uint8_t type) {
  if (moved.cookie == 0 || moved.cookie != event->cookie) {
    int error = tell_in(WATCH_CREATED, type, above, event->name);
    return error == 0 && type == 'd' && recursive ? add_directory(above, event->name, true) : error;
  }
  char from[WATCH_PATH_BYTES], to[WATCH_PATH_BYTES];
  bool fits = watch_path(moved.above, moved.name, from) && watch_path(above, event->name, to);
  struct watch_node *node = watch_node_in(moved.above, moved.name);
  moved.cookie = 0;
  if (node != NULL && !watch_node_move(node, above, event->name)) forget_directory(watch_node_index(node));
  return fits ? watch_tell(WATCH_RENAMED, type, to, from) : watch_tell(WATCH_OVERFLOW, 0, "", "");
}

static int went(const struct inotify_event *event, uint32_t above, uint8_t type) {
  moved.cookie = event->cookie;
  moved.above = above;
  moved.type = type;
  strncpy(moved.name, event->name, sizeof moved.name - 1);
  return 0;
}

/* *over: the top itself is gone. */
static int handle_self(const struct inotify_event *event, struct watch_node *node, bool *over) {
  if (event->mask & IN_IGNORED) {
    bool is_top = watch_node_index(node) == 0;
    watch_node_drop(node);
    if (!is_top) return 0;
    *over = true;
    return watch_tell(WATCH_REMOVED, 0, "", "");
  }
  if (watch_node_index(node) != 0) return 0;
  if (event->mask & IN_MOVE_SELF) {
    *over = true;
    return watch_tell(WATCH_REMOVED, 0, "", "");
  }
  if (event->mask & (IN_MODIFY | IN_ATTRIB)) return watch_tell(WATCH_MODIFIED, event->mask & IN_ISDIR ? 'd' : 'f', "", "");
  return 0;
}

static int handle(const struct inotify_event *event, bool *over) {
  bool pairs = event->mask & IN_MOVED_TO && event->cookie == moved.cookie;
  int error = pairs ? 0 : end_move();
  if (error != 0) return error;
  if (event->mask & IN_Q_OVERFLOW) return watch_tell(WATCH_OVERFLOW, 0, "", "");
  struct watch_node *node = watch_node_of(event->wd);
  if (node == NULL) return 0;
  if (event->len == 0 || event->mask & IN_IGNORED) return handle_self(event, node, over);
  uint32_t above = watch_node_index(node);
  uint8_t type = event->mask & IN_ISDIR ? 'd' : 'f';
  if (event->mask & IN_MOVED_FROM) return went(event, above, type);
  if (event->mask & (IN_CREATE | IN_MOVED_TO)) return came(event, above, type);
  return tell_in(event->mask & IN_DELETE ? WATCH_REMOVED : WATCH_MODIFIED, type, above, event->name);
}

static int begin(void) {
  struct stat stat_of;
  watch_fd = inotify_init1(IN_CLOEXEC);
  if (watch_fd < 0 || stat(top, &stat_of) < 0) return errno;
  int wd = inotify_add_watch(watch_fd, top, SEEN | QUIET);
  if (wd < 0) return errno;
  if (watch_node_add(wd, 0, "") == NULL) return ENOMEM;
  return recursive && S_ISDIR(stat_of.st_mode) ? add_contents(0, top, false) : 0;
}

/*
 * A snapshot puts a file system in the place of the one that is watched, where the same files are
 * others. What programs did between that and this was not seen.
 */
static int begin_again(bool *over) {
  close(watch_fd);
  watch_nodes_clear();
  moved.cookie = 0;
  int error = begin();
  *over = error == ENOENT;
  if (error != 0 && !*over) return builtin_fail("watch", error);
  return watch_tell(*over ? WATCH_REMOVED : WATCH_OVERFLOW, 0, "", "");
}

static int take_events(bool *over) {
  static _Alignas(struct inotify_event) char events[32 * 1024];
  ssize_t n = read(watch_fd, events, sizeof events);
  if (n < 0 && errno == EINTR) return 0;
  if (n <= 0) return builtin_fail("watch", n < 0 ? errno : EIO);
  int error = 0;
  for (ssize_t at = 0; at < n && error == 0 && !*over;) {
    const struct inotify_event *event = (const struct inotify_event *)(void *)(events + at);
    error = handle(event, over);
    at += (ssize_t)(sizeof *event + event->len);
  }
  /* Both ends of a rename come in one batch, or the name went away for good. */
  return error == 0 ? end_move() : error;
}

static int serve(void) {
  struct pollfd fds[2] = {{.fd = watch_fd, .events = POLLIN}, {.fd = mounts_fd, .events = POLLPRI}};
  for (bool over = false; !over;) {
    int error = watch_flush();
    if (error != 0) return error;
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return builtin_fail("watch", errno);
    }
    if (fds[1].revents & POLLPRI) error = begin_again(&over);
    else if (fds[0].revents != 0) error = take_events(&over);
    fds[0].fd = watch_fd;
    if (error != 0) return error;
  }
  return watch_flush();
}

int watch_job(const char *path, bool deep) {
  recursive = deep;
  mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  /* A link at the top is followed. */
  if (realpath(path, top) == NULL) return builtin_fail("watch", errno);
  int error = begin();
  if (error != 0) return builtin_fail("watch", error);
  error = watch_tell(WATCH_READY, 0, "", "");
  return error == 0 ? serve() : error;
}
