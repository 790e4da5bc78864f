#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LISTED_MAX 2048
#define COMMAND_BYTES 256

bool proc_walk_begin(struct proc_walk *walk) {
  walk->left = walk->at = 0;
  walk->fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return walk->fd >= 0;
}

void proc_walk_end(struct proc_walk *walk) { close(walk->fd); }

/* getdents64 itself: readdir would allocate. */
const char *proc_walk_next(struct proc_walk *walk) {
  for (;;) {
    if (walk->at >= walk->left) {
      walk->at = 0;
      walk->left = syscall(SYS_getdents64, walk->fd, walk->entries, sizeof walk->entries);
      if (walk->left <= 0) return NULL;
    }
    const char *entry = walk->entries + walk->at;
    walk->at += get_u16(entry + 16);
    const char *name = entry + 19;
    if (name[0] >= '1' && name[0] <= '9') return name;
  }
}

/* Bytes of /proc/PID/FILE, at most size - 1, and a NUL; -1 if there is none. */
static ssize_t read_proc(int proc_fd, const char *pid, const char *file, char *out, size_t size) {
  char path[64];
  size_t length = strlen(pid);
  if (length + strlen(file) + 2 > sizeof path) return -1;
  memcpy(path, pid, length);
  path[length] = '/';
  memcpy(path + length + 1, file, strlen(file) + 1);
  int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return -1;
  ssize_t n = read(fd, out, size - 1);
  close(fd);
  if (n >= 0) out[n] = 0;
  return n;
}

static void copy_name(struct proc_stat *out, const char *from, const char *end) {
  size_t length = (size_t)(end - from);
  if (length >= sizeof out->name) length = sizeof out->name - 1;
  memcpy(out->name, from, length);
  out->name[length] = 0;
}

bool proc_stat_read(int proc_fd, const char *pid, struct proc_stat *out) {
  char text[1024];
  if (read_proc(proc_fd, pid, "stat", text, sizeof text) <= 0) return false;
  /* The name may hold anything, parentheses too: the last one ends it. */
  char *open = strchr(text, '('), *close = strrchr(text, ')');
  if (open == NULL || close == NULL || close < open || close[1] != ' ' || close[2] == 0) return false;
  *out = (struct proc_stat){.pid = (uint32_t)strtoul(pid, NULL, 10), .state = close[2]};
  copy_name(out, open + 1, close);
  char *at = close + 3;
  /* From field 4 (the parent) on; 22 is the start time, 24 the resident pages. */
  for (int number = 4; number <= 24; number++) {
    uint64_t value = strtoull(at, &at, 10);
    if (number == 4) out->ppid = (uint32_t)value;
    if (number == 5) out->pgid = (uint32_t)value;
    if (number == 6) out->sid = (uint32_t)value;
    if (number == 14 || number == 15) out->cpu_ticks += value;
    if (number == 22) out->start_ticks = value;
    if (number == 24) out->rss_bytes = value * (uint64_t)sysconf(_SC_PAGESIZE);
  }
  return true;
}

static size_t read_command(int proc_fd, const char *pid, const struct proc_stat *stat, char *out) {
  ssize_t n = read_proc(proc_fd, pid, "cmdline", out, COMMAND_BYTES + 1);
  while (n > 0 && out[n - 1] == 0) n--;
  for (ssize_t i = 0; i < n; i++)
    if (out[i] == 0) out[i] = ' ';
  if (n > 0) return (size_t)n;
  size_t length = strlen(stat->name);
  out[0] = '[';
  memcpy(out + 1, stat->name, length);
  out[length + 1] = ']';
  return length + 2;
}

static size_t put_process(uint8_t *out, const struct proc_stat *stat, const char *command, size_t length) {
  put_u32(out, stat->pid);
  put_u32(out + 4, stat->ppid);
  put_u32(out + 8, stat->pgid);
  put_u32(out + 12, stat->sid);
  out[16] = (uint8_t)stat->state;
  put_u64(out + 17, stat->start_ticks);
  put_u64(out + 25, stat->cpu_ticks);
  put_u64(out + 33, stat->rss_bytes);
  put_u16(out + 41, (uint16_t)length);
  memcpy(out + 43, command, length);
  return 43 + length;
}

void process_list(uint32_t stream) {
  static struct proc_walk walk;
  uint8_t *out = link_reserve(PROCESS_LIST_BYTES);
  if (out == NULL || !proc_walk_begin(&walk)) {
    link_fail(stream, out == NULL ? ENOMEM : errno, "proc");
    return;
  }
  size_t length = 1;
  uint32_t count = 0;
  out[0] = 0;
  const char *name;
  while ((name = proc_walk_next(&walk)) != NULL) {
    struct proc_stat stat;
    char command[COMMAND_BYTES + 1];
    if (!proc_stat_read(walk.fd, name, &stat)) continue;
    if (count++ == LISTED_MAX) {
      out[0] = 1;
      break;
    }
    size_t command_length = read_command(walk.fd, name, &stat, command);
    length += put_process(out + length, &stat, command, command_length);
  }
  proc_walk_end(&walk);
  link_commit(K_PROCESS_LIST, stream, (uint32_t)length);
}
