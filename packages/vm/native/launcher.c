/* The launcher: one fork of the spawner per VM, from CREATE until its PID 1 is sealed. */
#include "frame.h"
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTION = 3, LISTENER = 4, REPORT = 5, OURS = 6, INIT = 7 };

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  ssize_t n = write(fd, text, strlen(text));
  int error = n == (ssize_t)strlen(text) ? 0 : n < 0 ? errno : EIO;
  close(fd);
  return error;
}

pid_t clone_namespaces(void) {
  unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                        CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
  return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

int write_id_maps(pid_t pid, uint32_t host_uid, uint32_t host_gid, const char **step) {
  char path[64], map[64];
  *step = "map-root";
  if (host_uid == 0 || host_gid == 0) return EPERM;
  *step = "setgroups";
  snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
  int error = write_file(path, "deny");
  if (error) return error;
  *step = "uid-map";
  snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
  snprintf(map, sizeof map, "%u %u 1", GUEST_ID, host_uid);
  error = write_file(path, map);
  if (error) return error;
  *step = "gid-map";
  snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
  snprintf(map, sizeof map, "%u %u 1", GUEST_ID, host_gid);
  return write_file(path, map);
}

int become_guest(int sync_fd, bool change_ids, const char **step) {
  char released;
  *step = "release";
  int error = read_full(sync_fd, &released, 1);
  if (error) return error;
  *step = "ids";
  /*
   * Root's clone keeps its capabilities here: its old ids are unmapped in the new namespace, so the
   * kernel doesn't see a change away from uid 0.
   */
  if (change_ids) {
    if (setresgid(GUEST_ID, GUEST_ID, GUEST_ID) != 0) return errno;
    if (setresuid(GUEST_ID, GUEST_ID, GUEST_ID) != 0) return errno;
  }
  *step = "dumpable";
  /* Not earlier: the maps of a non-dumpable process can't be written by its own user. */
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return errno;
  return 0;
}

/* Puts what is kept at 3, 4, 5 and closes everything else. */
static int arrange_descriptors(int connection, int listen_fd, int report_fd) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return errno;
  int from[3] = {connection, listen_fd, report_fd};
  for (int i = 0; i < 3; i++)
    if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16)) < 0) return errno;
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0 || dup3(from[i], CONNECTION + i, O_CLOEXEC) < 0) return errno;
  return close_from(OURS) == 0 ? 0 : errno;
}

/*
 * Tells the spawner who PID 1 is, with its namespaces: once PID 1 can't be inspected, only who holds
 * them can change the VM's mounts.
 */
static int report(pid_t pid) {
  static const char *const names[] = {"user", "mnt"};
  int fds[2], error = 0;
  for (int i = 0; i < 2; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, names[i]);
    fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    if (fds[i] < 0) return errno;
  }
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof fds)];
  } control = {0};
  uint32_t number = (uint32_t)pid;
  struct iovec part = {&number, sizeof number};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  control.header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
  if (sendmsg(REPORT, &message, MSG_NOSIGNAL) != (ssize_t)sizeof number) error = errno;
  for (int i = 0; i < 2; i++) close(fds[i]);
  return error;
}

static int prepare(const struct create_request *request, bool unified_joined, const char **step) {
  sigset_t none;
  sigemptyset(&none);
  *step = "signals";
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) return errno;
  *step = "cgroup";
  int error = join_cgroups(request, unified_joined);
  if (error) return error;
  /* Under memory pressure a VM goes before the host's own processes. */
  *step = "oom-score";
  if ((error = write_file("/proc/self/oom_score_adj", "300")) != 0) return error;
  *step = "setgroups";
  if (geteuid() == 0 && setgroups(0, NULL) != 0) return errno;
  int pair[2];
  *step = "socketpair";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
  return 0;
}

_Noreturn static void run_init(const struct create_request *request, bool root) {
  const char *step;
  close(REPORT);
  close(OURS);
  int error = become_guest(INIT, root, &step);
  /* The launcher reports its own failures; after its release they are ours. */
  if (error && strcmp(step, "release") != 0) frame_send_fail(CONNECTION, 0, error, step);
  if (error) _exit(1);
  setsid();
  prctl(PR_SET_NAME, "vmd");
  if (!root) close(INIT);
  agent_main(&request->spec, CONNECTION, LISTENER, root ? INIT : -1);
}

_Noreturn void launcher_run(const struct create_request *request, bool unified_joined,
                            int connection, int listen_fd, int report_fd) {
  bool root = geteuid() == 0;
  const char *step = "descriptors";
  uint32_t uid = root ? request->spec.host_uid : geteuid();
  uint32_t gid = root ? request->spec.host_gid : getegid();
  int error = arrange_descriptors(connection, listen_fd, report_fd);
  if (error) {
    frame_send_fail(connection, 0, error, step);
    _exit(1);
  }
  error = prepare(request, unified_joined, &step);
  if (error) goto fail;
  step = "clone";
  pid_t pid = clone_namespaces();
  if (pid < 0) {
    error = errno;
    goto fail;
  }
  if (pid == 0) run_init(request, root);
  close(INIT);
  close(LISTENER);
  step = "report";
  uint32_t number = (uint32_t)pid;
  error = report(pid);
  if (error) goto fail;
  error = write_id_maps(pid, uid, gid, &step);
  if (error) goto fail;
  step = "launched";
  error = frame_send(CONNECTION, K_LAUNCHED, 0, 0, &number, sizeof number);
  if (error) _exit(1);
  close(CONNECTION);
  close(REPORT);
  if (write_full(OURS, "", 1) != 0) _exit(1);
  if (root) serve_sources(OURS, uid, gid);
  _exit(0);

fail:
  frame_send_fail(CONNECTION, 0, error, step);
  _exit(1);
}
