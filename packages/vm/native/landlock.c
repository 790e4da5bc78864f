/*
 * A wall behind the others, where the kernel has it: a descriptor, mount or socket of the host that
 * comes into the VM in spite of them opens nothing there. Every process of the VM is in the domain.
 */
#include "host.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>

enum {
  MAKE_CHAR = 1 << 6, MAKE_SOCK = 1 << 9, MAKE_BLOCK = 1 << 11, REMOVE_FILE = 1 << 5,
  REFER = 1 << 13, TRUNCATE = 1 << 14, IOCTL_DEV = 1 << 15, FIRST_RIGHTS = (1 << 13) - 1,
};

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_IOCTL = 5, ABI_SCOPES = 6, ABI_LOG = 7 };

enum { ASK_ABI = 1, PATH_BENEATH = 1, SCOPE_ABSTRACT_SOCKETS = 1, SCOPE_SIGNALS = 2 };

/* The guests' own domains included: nothing of theirs is written to the host's audit log. */
enum { LOG_NOT_SAME = 1, LOG_NOT_NESTED = 4 };

struct ruleset {
  uint64_t files, net, scopes;
};

struct beneath {
  uint64_t rights;
  int32_t fd;
} __attribute__((packed));

static uint64_t rights_of(int abi) {
  uint64_t rights = FIRST_RIGHTS | REFER;
  if (abi >= ABI_TRUNCATE) rights |= TRUNCATE;
  if (abi >= ABI_IOCTL) rights |= IOCTL_DEV;
  return rights;
}

static int allow_at(int ruleset, int directory, uint64_t rights) {
  struct beneath rule = {rights, directory};
  return (int)syscall(NR_LANDLOCK_ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
}

static int allow(int ruleset, const char *path, uint64_t rights) {
  int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  int result = allow_at(ruleset, directory, rights);
  close(directory);
  return result;
}

/*
 * Below the VM's root everything but devices, which nobody can make and which are in /dev alone.
 * The directory of doors has no place there as PID 1 writes to it.
 */
static int add_rules(int ruleset, uint64_t rights) {
  uint64_t devices = rights & IOCTL_DEV, made = MAKE_CHAR | MAKE_BLOCK;
  if (allow(ruleset, "/", rights & ~(devices | made)) != 0) return -1;
  if (devices != 0 && allow(ruleset, "/dev", devices) != 0) return -1;
  if (sandbox_doors() < 0) return 0;
  return allow_at(ruleset, sandbox_doors(), MAKE_SOCK | REMOVE_FILE);
}

uint32_t landlock_install(void) {
  long abi = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, ASK_ABI);
  /* The first version forbids to move a file from one directory to another. */
  if (abi < ABI_REFER) return 0;
  struct ruleset rules = {.files = rights_of((int)abi)};
  if (abi >= ABI_SCOPES) rules.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
  int ruleset = (int)syscall(NR_LANDLOCK_CREATE_RULESET, &rules, sizeof rules, 0);
  if (ruleset < 0) return 0;
  unsigned flags = abi >= ABI_LOG ? LOG_NOT_SAME | LOG_NOT_NESTED : 0;
  bool done = add_rules(ruleset, rules.files) == 0 &&
              syscall(NR_LANDLOCK_RESTRICT_SELF, ruleset, flags) == 0;
  close(ruleset);
  if (!done) return 0;
  return WALL_LANDLOCK | (rules.scopes != 0 ? WALL_LANDLOCK_SCOPES : 0);
}
