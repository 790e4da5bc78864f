/* The filter of the VM's system calls: made once, inherited, installed by each PID 1. */
#include "host.h"
#include "link.h"
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

enum rule { MISSING = 0, ALLOWED, DENIED, CLONE, IOCTL, SOCKET, PRCTL, PERSONALITY, MODE_1, MODE_2,
            OPEN_1, OPEN_2, RULES };

enum { NUMBERS = 512, ROOM = 1024, X32 = 0x40000000 };

static struct sock_filter program[ROOM];
static unsigned short length;

/* What a debugger needs. PID 1 can't be traced: it is not dumpable. */
static const uint16_t for_debuggers[] = {__NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev,
                                         __NR_kcmp, 438 /* pidfd_getfd */};
static bool debugs;

static const uint8_t rules[NUMBERS] = {
#define ALLOW(name) [__NR_##name] = ALLOWED,
#define DENY(name) [__NR_##name] = DENIED,
#define ALLOW_NUMBER(number) [number] = ALLOWED,
#define DENY_NUMBER(number) [number] = DENIED,
    SAME_ALLOWED(ALLOW) NEW_ALLOWED(ALLOW_NUMBER) SAME_DENIED(DENY) NEW_DENIED(DENY_NUMBER)
#ifdef __x86_64__
    OLD_ALLOWED(ALLOW) OLD_DENIED(DENY)
    [__NR_open] = OPEN_1, [__NR_creat] = MODE_1, [__NR_chmod] = MODE_1, [__NR_mknod] = MODE_1,
#endif
    [__NR_clone] = CLONE, [__NR_ioctl] = IOCTL, [__NR_socket] = SOCKET,
    [__NR_socketpair] = SOCKET, [__NR_prctl] = PRCTL, [__NR_personality] = PERSONALITY,
    [__NR_fchmod] = MODE_1, [__NR_fchmodat] = MODE_2, [452 /* fchmodat2 */] = MODE_2,
    [__NR_mknodat] = MODE_2, [__NR_openat] = OPEN_2,
};

static enum rule rule_of(unsigned number) {
  for (size_t i = 0; debugs && i < sizeof for_debuggers / sizeof *for_debuggers; i++)
    if (for_debuggers[i] == number) return ALLOWED;
  return rules[number];
}

static void emit(unsigned code, unsigned k, unsigned if_true, unsigned if_false) {
  if (length < ROOM)
    program[length++] = (struct sock_filter){(uint16_t)code, (uint8_t)if_true, (uint8_t)if_false, k};
}

static void load(size_t offset) { emit(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0); }
static void answer(unsigned action) { emit(BPF_RET | BPF_K, action, 0, 0); }
static void refuse(int error) { answer(SECCOMP_RET_ERRNO | (unsigned)error); }

/*
 * The low half only: the kernel takes these arguments as 32-bit numbers, so whatever stands in the
 * high half must not change what they are compared with.
 */
static void load_argument(unsigned number) {
  load(offsetof(struct seccomp_data, args) + 8 * number);
}

static void refuse_if_equal(unsigned value, int error) {
  emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  refuse(error);
}

static void allow_if_equal(unsigned value) {
  emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  answer(SECCOMP_RET_ALLOW);
}

static void refuse_if_any(unsigned bits) {
  emit(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
  refuse(EPERM);
}

/* No set-id files: where the VM's files are also the host's, they would work there. */
static void rule_mode(unsigned argument) {
  load_argument(argument);
  refuse_if_any(S_ISUID | S_ISGID);
  answer(SECCOMP_RET_ALLOW);
}

/* The mode means something only when a file may be created; else it is what the register held. */
static void rule_open(unsigned flags) {
  load_argument(flags);
  emit(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | (O_TMPFILE & ~O_DIRECTORY), 1, 0);
  answer(SECCOMP_RET_ALLOW);
  rule_mode(flags + 1);
}

static void rule_prctl(void) {
  static const unsigned options[] = {
      PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS,
      PR_SET_KEEPCAPS, PR_GET_TIMING, PR_SET_TIMING, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP,
      PR_SET_SECCOMP, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_GET_TSC, PR_SET_TSC,
      PR_GET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER,
      PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS,
      PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_CAP_AMBIENT, PR_GET_SPECULATION_CTRL,
      PR_SET_SPECULATION_CTRL,
      /* arm64: vector lengths, pointer authentication, tagged addresses */
      50, 51, 54, 55, 56, 60, 61, 63, 64,
      /* deny write+execute, merging of memory, names of mappings, the tracer for crash handlers */
      65, 66, 67, 68, 0x53564d41, 0x59616d61};
  load_argument(0);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) allow_if_equal(options[i]);
  refuse_if_equal(PR_SET_MM, EPERM);
  refuse(EINVAL); /* what an older kernel says */
}

static void rule_socket(void) {
  load_argument(0);
  allow_if_equal(AF_UNIX);
  allow_if_equal(AF_INET);
  allow_if_equal(AF_INET6);
  emit(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0);
  refuse(EAFNOSUPPORT);
  load_argument(2);
  allow_if_equal(0 /* NETLINK_ROUTE */);
  refuse(EPROTONOSUPPORT);
}

static void rule_personality(void) {
  static const unsigned harmless[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                      ADDR_NO_RANDOMIZE, 0xffffffff};
  load_argument(0);
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) allow_if_equal(harmless[i]);
  refuse(EPERM);
}

static void emit_rule(enum rule rule) {
  switch (rule) {
    case CLONE:
      load_argument(0);
      refuse_if_any(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                    CLONE_NEWPID | CLONE_NEWNET);
      answer(SECCOMP_RET_ALLOW);
      return;
    case IOCTL:
      load_argument(1);
      refuse_if_equal(TIOCSTI, EPERM);
      refuse_if_equal(TIOCLINUX, EPERM);
      /* Loads line disciplines: kernel code that nothing in a VM needs. */
      refuse_if_equal(TIOCSETD, EPERM);
      answer(SECCOMP_RET_ALLOW);
      return;
    case SOCKET: rule_socket(); return;
    case PRCTL: rule_prctl(); return;
    case PERSONALITY: rule_personality(); return;
    case MODE_1: rule_mode(1); return;
    case MODE_2: rule_mode(2); return;
    case OPEN_1: rule_open(1); return;
    case OPEN_2: rule_open(2); return;
    case MISSING: case ALLOWED: case DENIED: case RULES: return;
  }
}

/* Neighbouring numbers with one rule. The last run has no end: numbers beyond the table. */
static struct {
  uint16_t first;
  uint8_t rule;
} runs[NUMBERS];

static unsigned tree_size(unsigned from, unsigned to) {
  if (to - from == 1) return 1;
  unsigned middle = (from + to) / 2, left = tree_size(from, middle);
  return 1 + (left > 255) + left + tree_size(middle, to);
}

/* A binary search. What it ends in is a final answer or a jump to a rule, whose place comes later. */
static void emit_tree(unsigned from, unsigned to) {
  if (to - from == 1) {
    enum rule rule = runs[from].rule;
    if (rule == ALLOWED) answer(SECCOMP_RET_ALLOW);
    else if (rule == DENIED) refuse(EPERM);
    else if (rule == MISSING) refuse(ENOSYS);
    else emit(BPF_JMP | BPF_JA, rule, 0, 0);
    return;
  }
  unsigned middle = (from + to) / 2, left = tree_size(from, middle);
  if (left <= 255) {
    emit(BPF_JMP | BPF_JGE | BPF_K, runs[middle].first, left, 0);
  } else {
    emit(BPF_JMP | BPF_JGE | BPF_K, runs[middle].first, 0, 1);
    emit(BPF_JMP | BPF_JA, left, 0, 0);
  }
  emit_tree(from, middle);
  emit_tree(middle, to);
}

void seccomp_prepare(void) {
  if (length > 0) return;
  unsigned count = 0;
  for (unsigned number = 0; number < NUMBERS; number++)
    if (count == 0 || runs[count - 1].rule != rule_of(number)) {
      runs[count].first = (uint16_t)number;
      runs[count++].rule = (uint8_t)rule_of(number);
    }
  load(offsetof(struct seccomp_data, arch));
  emit(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
  answer(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  emit(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
  answer(SECCOMP_RET_KILL_PROCESS);
#endif
  unsigned tree = length;
  emit_tree(0, count);
  unsigned places[RULES] = {0}, end = length;
  for (unsigned rule = CLONE; rule < RULES; rule++) {
    places[rule] = length;
    emit_rule((enum rule)rule);
  }
  for (unsigned i = tree; i < end; i++) {
    struct sock_filter *instruction = &program[i];
    bool jump_of_tree = i > tree && program[i - 1].code == (BPF_JMP | BPF_JGE | BPF_K) &&
                        program[i - 1].jf == 1;
    if (instruction->code == (BPF_JMP | BPF_JA) && !jump_of_tree)
      instruction->k = places[instruction->k] - i - 1;
  }
}

int seccomp_install(uint32_t profile) {
  debugs = profile == PROFILE_DEBUG;
  /* What the spawner made for all is of the standard profile. */
  if (debugs) length = 0;
  seccomp_prepare();
  if (length >= ROOM) return E2BIG;
  struct sock_fprog filter = {.len = length, .filter = program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0 ? 0 : errno;
}
