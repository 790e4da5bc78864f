/*
 * The keeper: one fork of the spawner per snapshot. It enters the VM's namespaces, which nobody in
 * the VM can change any more, and puts a fresh upper directory on top of what is there. What lay
 * there so far is frozen from then on. While it is in memory only, the keeper holds it for new VMs,
 * and copies it to where it outlives us.
 */
#include "keeper.h"
#include "frame.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEPER_BACKLOG = 64 };

struct keeper keeper = {.root = -1, .raw = -1, .step = ""};

static int arrange(const int from[4]) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), moved[4];
  if (null < 0) return errno;
  for (int i = 0; i < 4; i++)
    if ((moved[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16)) < 0) return errno;
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0) return errno;
  for (int i = 0; i < 4; i++)
    if (dup3(moved[i], CONNECTION + i, O_CLOEXEC) < 0) return errno;
  return close_from(LISTENER) == 0 ? 0 : errno;
}

static int listen_here(void) {
  if (keeper.request.socket_path[0] == 0) return 0;
  int fd = listen_unix(keeper.request.socket_path, KEEPER_BACKLOG);
  if (fd < 0) return errno;
  if (fd == LISTENER) return 0;
  int error = dup3(fd, LISTENER, O_CLOEXEC) < 0 ? errno : 0;
  close(fd);
  return error;
}

static int enter(void) {
  sigset_t none;
  sigemptyset(&none);
  bool was_root = geteuid() == 0;
  keeper.step = "enter";
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) return errno;
  if (was_root && setgroups(0, NULL) != 0) return errno;
  if (setns(USER_NAMESPACE, CLONE_NEWUSER) != 0 || setns(MOUNT_NAMESPACE, CLONE_NEWNS) != 0)
    return errno;
  /* Capabilities stay: uid 0 of the host means nothing in there. */
  if (setresgid(GUEST_ID, GUEST_ID, GUEST_ID) != 0 || setresuid(GUEST_ID, GUEST_ID, GUEST_ID) != 0)
    return errno;
  close(USER_NAMESPACE);
  close(MOUNT_NAMESPACE);
  umask(0);
  keeper.step = "disk";
  if ((keeper.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) return errno;
  return (keeper.raw = disk_open(keeper.root)) < 0 ? errno : 0;
}

static void send_snapped(enum snapped how, int error) {
  uint8_t payload[5] = {(uint8_t)how};
  put_u32(payload + 1, (uint32_t)error);
  frame_send(CONNECTION, K_SNAPPED, 0, 0, payload, sizeof payload);
}

/* The layer becomes our whole world: the VM's own mounts must be able to go with it. */
static int leave_mounts(void) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
  if (syscall(NR_MOVE_MOUNT, keeper.frozen[0], "", AT_FDCWD, "/", MOVE_FROM_FD) != 0) return errno;
  if (fchdir(keeper.frozen[0]) != 0) return errno;
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) return errno;
  close(keeper.root);
  close(keeper.raw);
  return chdir("/") == 0 ? 0 : errno;
}

static void close_all(int *fds, uint32_t *count) {
  while (*count > 0) close(fds[--*count]);
}

/* In memory: held for whoever starts from it, and copied meanwhile. */
static int keep(void) {
  pid_t copier;
  keeper.step = "leave";
  int error = leave_mounts();
  if (error) return error;
  int result = keeper_start_copying(&copier);
  if (result < 0) return errno;
  close(COPY_TO);
  result = keeper_serve(result, copier);
  if (result >= 0 && kill(copier, SIGKILL) == 0) waitpid(copier, NULL, 0);
  return 0;
}

static int run(void) {
  uint32_t flags = keeper.request.flags;
  bool on_disk = flags & SNAPSHOT_ON_DISK, flatten = flags & SNAPSHOT_FLATTEN;
  int error = listen_here();
  keeper.step = "socketPath";
  if (error == 0) error = enter();
  if (error == 0) error = keeper_open_layers(keeper.frozen, &keeper.frozen_count, true);
  if (error) return error;
  int refused = flags & SNAPSHOT_SWITCH ? keeper_switch_disk() : EOPNOTSUPP;
  if (refused == 0) {
    send_snapped(SNAPPED_SWITCHED, 0);
    if (!on_disk) return keep();
    if (!flatten) return 0;
  } else {
    close_all(keeper.frozen, &keeper.frozen_count);
    if ((error = keeper_open_layers(keeper.frozen, &keeper.frozen_count, false)) != 0) return error;
    send_snapped(SNAPPED_COPYING, refused);
  }
  struct copied copied = {0};
  copied.error = keeper_copy(&copied);
  keeper_send_copied(CONNECTION, &copied);
  return 0;
}

_Noreturn void keeper_run(const struct snapshot_request *wanted, int user_namespace,
                          int mount_namespace, int connection) {
  keeper.request = *wanted;
  prctl(PR_SET_NAME, "vmd");
  int to = open(keeper.request.copy_to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int error = to < 0 ? errno : arrange((int[4]){connection, user_namespace, mount_namespace, to});
  if (error) {
    frame_send_fail(connection, 0, error, "copyTo");
    _exit(1);
  }
  error = run();
  if (error) frame_send_fail(CONNECTION, 0, error, keeper.step);
  _exit(error ? 1 : 0);
}
