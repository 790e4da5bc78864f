/* Host files and directories as mounts for a VM: opened by the launcher, asked for by PID 1. */
#include "host.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct request {
  uint8_t kind, map_owner;
  char path[PATH_BYTES];
};

struct answer {
  int32_t error;
  uint8_t step;
};

static const char *const steps[] = {"mount-source", "mount-owner", "mount-clone",
                                    "mount-idmap",  "mount-attributes", "mount-request"};
enum step { SOURCE, OWNER, CLONE, IDMAP, ATTRIBUTES, REQUEST };

static int write_map(pid_t pid, const char *name, uint32_t disk, uint32_t host) {
  char path[64], map[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int length = snprintf(map, sizeof map, "%u %u 1", disk, host);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = write(fd, map, (size_t)length) == length ? 0 : -1;
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

/* A user namespace exists only with a process in it: one is made for as long as it takes. */
static int make_id_map(uint32_t uid, uint32_t gid, uint32_t host_uid, uint32_t host_gid) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid < 0) return -1;
  if (pid == 0)
    for (;;) pause();
  char path[64];
  int fd = -1;
  snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
  if (write_map(pid, "uid_map", uid, host_uid) == 0 &&
      write_map(pid, "gid_map", gid, host_gid) == 0)
    fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = errno;
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
  errno = error;
  return fd;
}

/* The last one is kept: a VM's layers mostly have one owner. Stays with the launcher, which ends. */
static int id_map(uint32_t uid, uint32_t gid, uint32_t host_uid, uint32_t host_gid) {
  static int kept = -1;
  static uint32_t kept_uid, kept_gid;
  if (kept >= 0 && kept_uid == uid && kept_gid == gid) return kept;
  if (kept >= 0) close(kept);
  kept_uid = uid;
  kept_gid = gid;
  return kept = make_id_map(uid, gid, host_uid, host_gid);
}

/* The owner's files appear as the VM's own user, and what the VM creates belongs to the owner. */
static int map_ids(int tree, uint32_t uid, uint32_t gid, uint32_t host_uid, uint32_t host_gid) {
  int ids = id_map(uid, gid, host_uid, host_gid);
  if (ids < 0) return -1;
  struct mount_attributes attributes = {.set = ATTR_IDMAP, .userns_fd = (uint64_t)ids};
  return set_mount_attributes(tree, TREE_RECURSIVE, &attributes);
}

/* Reading as anyone else is less, not more: file systems that can't map stay readable as they are. */
static int map_owner_ids(int tree, const struct stat *owner, bool read_only, uint32_t host_uid,
                         uint32_t host_gid) {
  if (map_ids(tree, owner->st_uid, owner->st_gid, host_uid, host_gid) == 0) return 0;
  return read_only && errno == EINVAL ? 0 : -1;
}

/*
 * A layer that is still in memory, which another VM's first process made: its files have that VM's
 * numbers in its own user namespace, and the kernel maps those.
 */
static int fetch_layer(const char *path, bool root, uint32_t host_uid, uint32_t host_gid) {
  struct stat owner;
  int tree = keeper_fetch(path);
  if (tree < 0 || !root) return tree;
  bool mapped = fstat(tree, &owner) == 0 &&
                ((owner.st_uid == host_uid && owner.st_gid == host_gid) ||
                 map_ids(tree, GUEST_ID, GUEST_ID, host_uid, host_gid) == 0);
  if (mapped) return tree;
  int error = errno;
  close(tree);
  errno = error;
  return -1;
}

static int open_restricted(const char *path, enum source_kind kind, bool map_owner,
                           uint32_t host_uid, uint32_t host_gid, enum step *step) {
  /* A guest of an earlier VM may have planted a link in a directory that it could write. */
  struct how how = {.flags = O_PATH | O_CLOEXEC,
                    .resolve = kind == SOURCE_SYSTEM ? RESOLVE_NO_MAGIC : RESOLVE_NO_LINKS};
  struct stat owner;
  *step = SOURCE;
  int source = open_how(AT_FDCWD, path, &how);
  if (source < 0) return -1;
  int tree = -1, error = 0;
  if (fstat(source, &owner) != 0) goto fail;
  bool root = geteuid() == 0;
  if (kind == SOURCE_LAYER && S_ISSOCK(owner.st_mode)) {
    close(source);
    *step = IDMAP;
    return fetch_layer(path, root, host_uid, host_gid);
  }
  bool root_owned = owner.st_uid == 0 || owner.st_gid == 0;
  bool ours = owner.st_uid == host_uid && owner.st_gid == host_gid;
  *step = OWNER;
  if (root && kind == SOURCE_READ_WRITE && root_owned && !map_owner) {
    errno = EPERM;
    goto fail;
  }
  *step = CLONE;
  tree = open_tree_at(source, "", TREE_EMPTY_PATH | TREE_RECURSIVE);
  if (tree < 0) goto fail;
  *step = IDMAP;
  /* Of a layer that root owns, which only an image can be, the VM's own user is to be the owner. */
  if (root && kind != SOURCE_SYSTEM && !ours && (!root_owned || map_owner || kind == SOURCE_LAYER) &&
      map_owner_ids(tree, &owner, kind != SOURCE_READ_WRITE, host_uid, host_gid) != 0)
    goto fail;
  *step = ATTRIBUTES;
  /* Private: a copy of a shared mount would go on receiving what the host mounts below it. */
  struct mount_attributes attributes = {.set = ATTR_NOSUID | ATTR_NODEV, .propagation = MS_PRIVATE};
  if (kind != SOURCE_READ_WRITE) attributes.set |= ATTR_RDONLY;
  if (set_mount_attributes(tree, TREE_RECURSIVE, &attributes) != 0) goto fail;
  close(source);
  return tree;

fail:
  error = errno;
  close(source);
  if (tree >= 0) close(tree);
  errno = error;
  return -1;
}

int open_source(const char *path, enum source_kind kind, bool map_owner, uint32_t host_uid,
                uint32_t host_gid, const char **step) {
  enum step number;
  int tree = open_restricted(path, kind, map_owner, host_uid, host_gid, &number);
  *step = steps[number];
  return tree;
}

static bool send_answer(int fd, const struct answer *answer, int tree) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {(void *)(uintptr_t)answer, sizeof *answer};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (tree >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &tree, sizeof tree);
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

void serve_sources(int fd, uint32_t host_uid, uint32_t host_gid) {
  struct request request;
  for (;;) {
    ssize_t n = recv(fd, &request, sizeof request, MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < (ssize_t)offsetof(struct request, path) + 2 || n > (ssize_t)sizeof request) return;
    if (((char *)&request)[n - 1] != 0 || request.kind > SOURCE_LAYER) return;
    enum step step;
    int tree = open_restricted(request.path, request.kind, request.map_owner != 0, host_uid,
                               host_gid, &step);
    struct answer answer = {.error = tree < 0 ? errno : 0, .step = (uint8_t)step};
    bool sent = send_answer(fd, &answer, tree);
    if (tree >= 0) close(tree);
    if (!sent) return;
  }
}

int request_source(int mount_fd, const char *path, enum source_kind kind, bool map_owner,
                   const char **step) {
  struct request request = {.kind = (uint8_t)kind, .map_owner = map_owner};
  size_t length = strlen(path) + 1;
  *step = steps[REQUEST];
  if (length > sizeof request.path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(request.path, path, length);
  size_t size = offsetof(struct request, path) + length;
  if (send(mount_fd, &request, size, MSG_NOSIGNAL) != (ssize_t)size) return -1;
  struct answer answer;
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {&answer, sizeof answer};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t n;
  do n = recvmsg(mount_fd, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -1;
  errno = EPROTO;
  if (n != (ssize_t)sizeof answer) return -1;
  if (answer.step <= REQUEST) *step = steps[answer.step];
  if (answer.error != 0) {
    errno = answer.error;
    return -1;
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return -1;
  int tree;
  memcpy(&tree, CMSG_DATA(header), sizeof tree);
  return tree;
}
