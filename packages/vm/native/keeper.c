/*
 * The keeper: one fork of the spawner per snapshot. It enters the VM's namespaces, which nobody in
 * the VM can change any more, and puts a fresh upper directory on top of what is there. What lay
 * there so far is frozen from then on. While it is in memory only, the keeper holds it for new VMs,
 * and copies it to where it outlives us.
 */
#include "frame.h"
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTION = 3, USER_NAMESPACE, MOUNT_NAMESPACE, COPY_TO, LISTENER, OURS };
enum { KEEPER_BACKLOG = 64, REQUEST_MS = 2000, UNWATCHED_MS = 60000, MIN_BYTES = 1024 * 1024,
       BUSY_ATTEMPTS = 5, BUSY_US = 2000 };

#define DISK "/dev/.vm/disk"

static struct snapshot_request request;
/* Frozen trees, topmost first: the layer itself, and for a flattened copy what lies below. */
static int frozen[LAYERS_MAX + 1];
static uint32_t frozen_count;
static int root = -1, raw = -1;
static const char *step = "";

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
  if (request.socket_path[0] == 0) return 0;
  int fd = listen_unix(request.socket_path, KEEPER_BACKLOG);
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
  step = "enter";
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
  step = "disk";
  if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) return errno;
  return (raw = disk_open(root)) < 0 ? errno : 0;
}

static int open_raw(const char *name, uint32_t index, bool clone) {
  char path[64];
  if (strcmp(name, "upper") == 0) snprintf(path, sizeof path, "%u/upper", request.disk.generation);
  else snprintf(path, sizeof path, "%u/%s/%u", request.disk.generation, name, index);
  if (clone) return open_tree_at(raw, path, 0);
  return openat(raw, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The layers that the VM sees now, the upper directory first. */
static int open_layers(int *layers, uint32_t *count, bool clone) {
  step = "layers";
  *count = 0;
  int fd = open_raw("upper", 0, clone);
  while (fd >= 0) {
    layers[(*count)++] = fd;
    if (*count > LAYERS_MAX) return E2BIG;
    fd = open_raw("layers", *count - 1, clone);
  }
  return errno == ENOENT && *count > 0 ? 0 : errno;
}

static void close_all(int *fds, uint32_t *count) {
  while (*count > 0) close(fds[--*count]);
}

/* Of the size that is left: all of it together is what the VM may hold in memory. */
static int new_upper_tmpfs(void) {
  struct statfs now;
  if (fstatfs(raw, &now) != 0) return -1;
  uint64_t size = (uint64_t)now.f_bavail * (uint64_t)now.f_bsize;
  uint64_t inodes = now.f_ffree < 1024 ? 1024 : now.f_ffree;
  return new_tmpfs(size < MIN_BYTES ? MIN_BYTES : size, inodes, "755");
}

/* `tree` takes the place of the raw tree, with the frozen layers below a fresh upper directory. */
static int build_disk(int tree, const struct disk *disk, const int *layers, uint32_t count) {
  const char *part;
  step = "disk";
  if (disk_attach(root, tree) != 0 || disk_make(tree, disk) != 0) return errno;
  step = "layer";
  for (uint32_t i = 0; i < count; i++)
    if (disk_add_layer(tree, disk, i, layers[i]) != 0) return errno;
  step = "overlay";
  if (disk_overlay(tree, disk, count) != 0) return errno;
  step = "parts";
  return disk_bind(root, tree, disk, true, &part) == 0 ? 0 : errno;
}

static void bind_again(const int *parts, uint32_t first) {
  for (uint32_t i = first; i < request.disk.parts; i++)
    if (parts[i] >= 0) attach(root, request.disk.part[i], parts[i]);
}

/* Unmounts every part, unless a process holds one: the kernel's own count decides. */
static int take_parts(int *parts) {
  step = "busy";
  for (uint32_t i = 0; i < request.disk.parts; i++) {
    parts[i] = open_tree_at(AT_FDCWD, request.disk.part[i], 0);
    if (parts[i] < 0) return errno;
  }
  for (uint32_t i = request.disk.parts; i-- > 0;) {
    if (umount2(request.disk.part[i], 0) == 0) continue;
    int error = errno;
    bind_again(parts, i + 1);
    return error;
  }
  return 0;
}

/* As it was: a VM without its disk would be worse than one without a snapshot. */
static void restore_disk(int before, const int *parts) {
  for (uint32_t i = request.disk.parts; i-- > 0;) umount2(request.disk.part[i], MNT_DETACH);
  umount2(DISK, MNT_DETACH);
  disk_attach(root, before);
  bind_again(parts, 0);
}

static int switch_disk(void) {
  int parts[PARTS_MAX], layers[LAYERS_MAX + 1], error;
  uint32_t count;
  bool on_disk = request.flags & SNAPSHOT_ON_DISK;
  if (frozen_count >= LAYERS_MAX) return E2BIG;
  for (uint32_t i = 0; i < PARTS_MAX; i++) parts[i] = -1;
  /* The kept ones can't be mounted again: older kernels clone only what is attached somewhere. */
  if ((error = open_layers(layers, &count, true)) != 0) return error;
  step = "disk";
  int tree = on_disk ? open_tree_at(AT_FDCWD, DISK, 0) : new_upper_tmpfs();
  int before = open_tree_at(AT_FDCWD, DISK, TREE_RECURSIVE);
  if (tree < 0 || before < 0) return errno;
  /* What has just ended may hold its last file for a moment. */
  for (int attempt = 1; (error = take_parts(parts)) == EBUSY && attempt < BUSY_ATTEMPTS; attempt++) {
    for (uint32_t i = 0; i < request.disk.parts; i++) close(parts[i]);
    usleep(BUSY_US);
  }
  if (error) return error;
  struct disk next = request.disk;
  next.generation = on_disk ? next.generation + 1 : 0;
  error = umount2(DISK, MNT_DETACH) == 0 ? build_disk(tree, &next, layers, count) : errno;
  if (error) restore_disk(before, parts);
  return error;
}

static int copy_all(struct copied *copied) {
  uint32_t image = request.flags & SNAPSHOT_IMAGE ? 1 : 0;
  uint32_t last = request.flags & SNAPSHOT_FLATTEN ? frozen_count - image : 1;
  for (uint32_t i = last; i-- > 0;) {
    int error = layer_copy(frozen[i], COPY_TO, copied);
    if (error) return error;
  }
  /* Whoever finds it needs nobody to tell that it is whole. No part of a disk has such a name. */
  int mark = openat(COPY_TO, ".complete", O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
  if (mark < 0) return errno;
  close(mark);
  return 0;
}

static void send_copied(int fd, const struct copied *copied) {
  uint8_t payload[16];
  if (copied->error != 0) {
    frame_send_fail(fd, 0, copied->error, "copy");
    return;
  }
  put_u64(payload, copied->bytes);
  put_u64(payload + 8, copied->files);
  frame_send(fd, K_COPIED, 0, 0, payload, sizeof payload);
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
  if (syscall(NR_MOVE_MOUNT, frozen[0], "", AT_FDCWD, "/", MOVE_FROM_FD) != 0) return errno;
  if (fchdir(frozen[0]) != 0) return errno;
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) return errno;
  close(root);
  close(raw);
  return chdir("/") == 0 ? 0 : errno;
}

static int start_copying(pid_t *pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  *pid = fork();
  if (*pid == 0) {
    struct copied copied = {0};
    copied.error = copy_all(&copied);
    _exit(write_full(ends[1], &copied, sizeof copied) == 0 ? 0 : 1);
  }
  close(ends[1]);
  if (*pid > 0) return ends[0];
  close(ends[0]);
  return -1;
}

static bool send_layer(int fd) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {(void *)(uintptr_t)"", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  int tree = open_tree_at(AT_FDCWD, "/", 0);
  if (tree < 0) return false;
  control.header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), &tree, sizeof tree);
  bool sent = sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
  close(tree);
  return sent;
}

struct serving {
  int watcher; /* -1: none */
  bool done, end;
  struct copied copied;
};

static void watch(struct serving *serving, int fd) {
  if (serving->watcher >= 0) close(serving->watcher);
  serving->watcher = fd;
  if (serving->done) send_copied(fd, &serving->copied);
}

static void serve_one(struct serving *serving) {
  int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  const struct timeval patience = {.tv_sec = REQUEST_MS / 1000};
  uint8_t header[FRAME_HEADER_BYTES];
  struct frame frame = {0};
  bool known = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
               read_full(fd, header, sizeof header) == 0 && frame_get(header, &frame) &&
               frame.length == 0;
  if (known && frame.kind == K_WATCH) {
    watch(serving, fd);
    return;
  }
  if (known && frame.kind == K_KILL) {
    /* Closed by our end: then nothing is written any more. */
    serving->end = true;
    return;
  }
  if (known && frame.kind == K_LAYER) send_layer(fd);
  close(fd);
}

static void take_result(struct serving *serving, int *result, pid_t copier) {
  if (read_full(*result, &serving->copied, sizeof serving->copied) != 0)
    serving->copied.error = EIO;
  close(*result);
  *result = -1;
  waitpid(copier, NULL, 0);
  serving->done = true;
  if (serving->watcher >= 0) send_copied(serving->watcher, &serving->copied);
}

/* Until it is told to end, or nobody has wanted to know for a while. */
static void serve(int result, pid_t copier) {
  struct serving serving = {.watcher = CONNECTION};
  while (!serving.end) {
    struct pollfd polled[3] = {{.fd = LISTENER, .events = POLLIN},
                               {.fd = result, .events = POLLIN},
                               {.fd = serving.watcher, .events = POLLIN}};
    int n = poll(polled, 3, serving.watcher < 0 && serving.done ? UNWATCHED_MS : -1);
    if (n == 0) break;
    if (n < 0 && errno != EINTR) break;
    if (n < 0) continue;
    if (polled[2].revents != 0) {
      close(serving.watcher);
      serving.watcher = -1;
    }
    if (polled[1].revents != 0) take_result(&serving, &result, copier);
    if (polled[0].revents != 0) serve_one(&serving);
  }
}

/* In memory: held for whoever starts from it, and copied meanwhile. */
static int keep(void) {
  pid_t copier;
  step = "leave";
  int error = leave_mounts();
  if (error) return error;
  int result = start_copying(&copier);
  if (result < 0) return errno;
  close(COPY_TO);
  serve(result, copier);
  if (result >= 0 && kill(copier, SIGKILL) == 0) waitpid(copier, NULL, 0);
  return 0;
}

static int run(void) {
  bool on_disk = request.flags & SNAPSHOT_ON_DISK, flatten = request.flags & SNAPSHOT_FLATTEN;
  int error = listen_here();
  step = "socketPath";
  if (error == 0) error = enter();
  if (error == 0) error = open_layers(frozen, &frozen_count, true);
  if (error) return error;
  int refused = request.flags & SNAPSHOT_SWITCH ? switch_disk() : EOPNOTSUPP;
  if (refused == 0) {
    send_snapped(SNAPPED_SWITCHED, 0);
    if (!on_disk) return keep();
    if (!flatten) return 0;
  } else {
    close_all(frozen, &frozen_count);
    if ((error = open_layers(frozen, &frozen_count, false)) != 0) return error;
    send_snapped(SNAPPED_COPYING, refused);
  }
  struct copied copied = {0};
  copied.error = copy_all(&copied);
  send_copied(CONNECTION, &copied);
  return 0;
}

_Noreturn void keeper_run(const struct snapshot_request *wanted, int user_namespace,
                          int mount_namespace, int connection) {
  request = *wanted;
  prctl(PR_SET_NAME, "vmd");
  int to = open(request.copy_to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int error = to < 0 ? errno : arrange((int[4]){connection, user_namespace, mount_namespace, to});
  if (error) {
    frame_send_fail(connection, 0, error, "copyTo");
    _exit(1);
  }
  error = run();
  if (error) frame_send_fail(CONNECTION, 0, error, step);
  _exit(error ? 1 : 0);
}

int keeper_fetch(const char *socket_path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(socket_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), tree = -1;
  if (fd < 0) return -1;
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  int error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
                  ? frame_send(fd, K_LAYER, 0, 0, NULL, 0)
                  : errno;
  if (error == 0 && recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1) error = EPROTO;
  struct cmsghdr *header = error == 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof tree))
    memcpy(&tree, CMSG_DATA(header), sizeof tree);
  close(fd);
  errno = error != 0 ? error : EPROTO;
  return tree;
}
