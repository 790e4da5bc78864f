/* Kernel calls that the C libraries we build with lack or declare differently. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers above 423 are the same on every architecture. */
enum {
  NR_OPEN_TREE = 428,
  NR_MOVE_MOUNT = 429,
  NR_FSOPEN = 430,
  NR_FSCONFIG = 431,
  NR_FSMOUNT = 432,
  NR_FSPICK = 433,
  NR_CLONE3 = 435,
  NR_CLOSE_RANGE = 436,
  NR_OPENAT2 = 437,
  NR_MOUNT_SETATTR = 442,
  NR_LANDLOCK_CREATE_RULESET = 444,
  NR_LANDLOCK_ADD_RULE = 445,
  NR_LANDLOCK_RESTRICT_SELF = 446,
};

enum {
  TREE_CLONE = 1,
  TREE_CLOEXEC = 02000000,
  TREE_RECURSIVE = 0x8000,
  TREE_EMPTY_PATH = 0x1000,
  MOVE_FROM_FD = 0x4,
  MOVE_TO_FD = 0x40,
  FS_SET_FLAG = 0,
  FS_SET_STRING = 1,
  FS_CREATE = 6,
  FS_RECONFIGURE = 7,
  PICK_CLOEXEC = 1,
  PICK_NO_LINK = 2,
  RESOLVE_NO_MAGIC = 0x02,
  RESOLVE_NO_LINKS = 0x04,
};

enum {
  ATTR_RDONLY = 0x1,
  ATTR_NOSUID = 0x2,
  ATTR_NODEV = 0x4,
  ATTR_NOEXEC = 0x8,
  ATTR_IDMAP = 0x100000,
};

struct mount_attributes {
  uint64_t set, clear, propagation, userns_fd;
};

enum { CGROUP2_MAGIC = 0x63677270 };
#define INTO_CGROUP UINT64_C(0x200000000)

struct clone_request {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
      set_tid_size, cgroup;
};

struct how {
  uint64_t flags, mode, resolve;
};

static inline int open_tree_at(int dir, const char *path, unsigned flags) {
  return (int)syscall(NR_OPEN_TREE, dir, path, flags | TREE_CLONE | TREE_CLOEXEC);
}

static inline int move_mount_to(int tree, int dir) {
  return (int)syscall(NR_MOVE_MOUNT, tree, "", dir, "", MOVE_FROM_FD | MOVE_TO_FD);
}

static inline int set_mount_attributes(int tree, unsigned flags,
                                       const struct mount_attributes *attributes) {
  return (int)syscall(NR_MOUNT_SETATTR, tree, "", flags | TREE_EMPTY_PATH, attributes,
                      sizeof *attributes);
}

static inline int open_how(int dir, const char *path, const struct how *how) {
  return (int)syscall(NR_OPENAT2, dir, path, how, sizeof *how);
}

static inline int close_from(unsigned first) {
  return (int)syscall(NR_CLOSE_RANGE, first, ~0u, 0);
}

#endif
