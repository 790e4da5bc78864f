/* vmd probe: makes a VM, seals it, and tells which step failed. */
#include "frame.h"
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, TIMEOUT_S = 5 };

struct result {
  int32_t error;
  uint32_t walls;
  char step[160];
};

/* What only Landlock stands before: made before the VM is sealed, tried after. */
struct leaks {
  int directory, listener;
  struct sockaddr_un address;
  socklen_t length;
};

static size_t probe_config(uint8_t *out, size_t room) {
  static const uint16_t tags[] = {F_ROOT_BYTES, F_ROOT_INODES, F_DISK_BYTES, F_DISK_INODES,
                                  F_SHM_BYTES};
  uint64_t size = 1 << 20;
  size_t used = field_put(out, room, F_HOSTNAME, "probe", 5);
  for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
    used += field_put(out + used, room - used, tags[i], &size, sizeof size);
  return used;
}

static void leak(struct leaks *leaks) {
  leaks->directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  leaks->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  leaks->address.sun_family = AF_UNIX;
  struct sockaddr *address = (struct sockaddr *)&leaks->address;
  /* An address of the family alone: the kernel picks an abstract one. */
  if (bind(leaks->listener, address, sizeof leaks->address.sun_family) != 0) return;
  leaks->length = sizeof leaks->address;
  if (getsockname(leaks->listener, address, &leaks->length) != 0) leaks->length = 0;
  if (listen(leaks->listener, 1) != 0) leaks->length = 0;
}

/* The walls that are said to be up, without those that let something through. */
static uint32_t walls_that_hold(const struct leaks *leaks) {
  uint32_t walls = sandbox_walls();
  int file = openat(leaks->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file >= 0 || errno != EACCES) walls &= ~WALL_LANDLOCK;
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (leaks->length == 0 || client < 0 ||
      connect(client, (const struct sockaddr *)&leaks->address, leaks->length) == 0 || errno != EPERM)
    walls &= ~WALL_LANDLOCK_SCOPES;
  return walls;
}

_Noreturn static void run_guest(int fd, bool root) {
  struct result result = {0};
  const char *step = "";
  uint8_t config[256];
  struct leaks leaks = {0};
  leak(&leaks);
  result.error = become_guest(fd, root, &step);
  if (result.error == 0)
    result.error = sandbox_enter(config, probe_config(config, sizeof config), -1, &step);
  if (result.error == 0) result.walls = walls_that_hold(&leaks);
  snprintf(result.step, sizeof result.step, "%s", step);
  _exit(write_full(fd, &result, sizeof result) == 0 ? 0 : 1);
}

static int run_host(int fd, pid_t pid, bool root, struct result *result) {
  const char *step;
  struct timeval limit = {.tv_sec = TIMEOUT_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  int error = write_id_maps(pid, root ? NOBODY : geteuid(), root ? NOBODY : getegid(), &step);
  snprintf(result->step, sizeof result->step, "%s", step);
  if (error) return error;
  snprintf(result->step, sizeof result->step, "answer");
  if ((error = write_full(fd, "", 1)) != 0) return error;
  struct result answer;
  ssize_t n = recv(fd, &answer, sizeof answer, MSG_WAITALL);
  if (n != (ssize_t)sizeof answer) return n < 0 ? ETIMEDOUT : ECONNRESET;
  *result = answer;
  return answer.error;
}

static int try_everything(struct result *result) {
  int pair[2];
  bool root = geteuid() == 0;
  snprintf(result->step, sizeof result->step, "socketpair");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
  snprintf(result->step, sizeof result->step, "clone");
  pid_t pid = clone_namespaces();
  if (pid < 0) return errno;
  if (pid == 0) {
    close(pair[0]);
    run_guest(pair[1], root);
  }
  close(pair[1]);
  int error = run_host(pair[0], pid, root, result);
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  return error;
}

int probe_run(void) {
  struct result result = {0};
  close_from(3);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  int error = try_everything(&result);
  const char *name = strerrorname_np(error);
  if (error == 0) printf("{\"ok\":true,\"link\":%u,\"walls\":%u}\n", LINK_VERSION, result.walls);
  else
    printf("{\"ok\":false,\"step\":\"%s\",\"errno\":\"%s\"}\n", result.step, name ? name : "UNKNOWN");
  return fflush(stdout) == 0 ? 0 : 1;
}
