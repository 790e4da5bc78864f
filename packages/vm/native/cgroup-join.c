/*
 * Joining the VM's cgroups. Moving a process by its number takes a lock of the whole machine for
 * writing, which after a quiet moment costs 5 to 25 ms. Two ways only read that lock: a clone right
 * into a cgroup (version 2), and a thread that moves itself by way of `tasks` (version 1).
 */
#include "host.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static int write_zero(const char *directory, const char *name) {
  char path[CGROUPS_BYTES + 16];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = write(fd, "0", 1) == 1 ? 0 : errno;
  close(fd);
  return error;
}

static bool is_unified(const char *directory) {
  struct statfs found;
  return statfs(directory, &found) == 0 && (unsigned long)found.f_type == CGROUP2_MAGIC;
}

/* The last one of the unified tree, or NULL. */
static const char *unified_of(const struct create_request *request) {
  const char *last = NULL;
  for (uint32_t at = 0; at < request->cgroups_length;) {
    const char *directory = request->cgroups + at;
    at += (uint32_t)strlen(directory) + 1;
    if (is_unified(directory)) last = directory;
  }
  return last;
}

pid_t fork_into_cgroup(const struct create_request *request, bool *joined) {
  *joined = true;
  const char *directory = unified_of(request);
  if (directory == NULL) return fork();
  int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    struct clone_request clone = {
        .flags = INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
    pid_t pid = (pid_t)syscall(NR_CLONE3, &clone, sizeof clone);
    if (pid == 0) return 0; /* the child closes what it inherited */
    close(fd);
    if (pid > 0) return pid;
  }
  /* Older than 5.7, or clone3 is filtered: the child moves itself. */
  *joined = false;
  return fork();
}

int join_cgroups(const struct create_request *request, bool unified_joined) {
  for (uint32_t at = 0; at < request->cgroups_length;) {
    const char *directory = request->cgroups + at;
    at += (uint32_t)strlen(directory) + 1;
    bool unified = is_unified(directory);
    if (unified && unified_joined) continue;
    int error = write_zero(directory, unified ? "cgroup.procs" : "tasks");
    if (error) return error;
  }
  return 0;
}
