/* Hearing of a cgroup v1 whose memory ran out: by an eventfd, which only its maker can poll. */
#include "host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The file of the cgroup, or -1. */
static int open_in(const char *cgroup, const char *name, int flags) {
  char path[PATH_BYTES];
  int length = snprintf(path, sizeof path, "%s/%s", cgroup, name);
  if (length < 0 || (size_t)length >= sizeof path) return -1;
  return open(path, flags | O_CLOEXEC);
}

/* 0: the eventfd is told from now on, and the descriptors are not needed any more. */
static int ask(const char *cgroup, int event, int oom) {
  char text[32];
  int control = open_in(cgroup, "cgroup.event_control", O_WRONLY);
  if (control < 0) return -1;
  int length = snprintf(text, sizeof text, "%d %d", event, oom);
  ssize_t n = write(control, text, (size_t)length);
  close(control);
  return n == length ? 0 : -1;
}

static int watch(const char *cgroup) {
  int oom = open_in(cgroup, "memory.oom_control", O_RDONLY);
  if (oom < 0) return -1;
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event >= 0 && ask(cgroup, event, oom) != 0) {
    close(event);
    event = -1;
  }
  close(oom);
  return event;
}

int memory_watch(const char *cgroups, uint32_t length) {
  for (uint32_t at = 0; at < length; at += (uint32_t)strlen(cgroups + at) + 1) {
    int event = watch(cgroups + at);
    if (event >= 0) return event;
  }
  return -1;
}
