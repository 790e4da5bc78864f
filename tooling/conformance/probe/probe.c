/* Tries from inside a VM what a guest must not be able to do; prints one "name result" line each. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) {
  printf("%s %s\n", name, result == -1 ? strerrorname_np(errno) : "ok");
}

static void try_open(const char *name, const char *path, int flags) {
  int fd = open(path, flags);
  say(name, fd == -1 ? -1 : 0);
  if (fd != -1) close(fd);
}

static void try_socket(const char *name, int family) {
  int fd = socket(family, SOCK_DGRAM, 0);
  if (fd == -1) fd = socket(family, SOCK_SEQPACKET, 0);
  if (fd == -1) fd = socket(family, SOCK_STREAM, 0);
  say(name, fd == -1 ? -1 : 0);
  if (fd != -1) close(fd);
}

static void try_terminal(void) {
  int leader, follower;
  if (openpty(&leader, &follower, NULL, NULL, NULL) == -1) {
    say("openpty", -1);
    return;
  }
  say("openpty", 0);
  char c = 'x';
  say("tiocsti", syscall(SYS_ioctl, follower, (unsigned long)TIOCSTI, &c));
  say("tiocsti-high", syscall(SYS_ioctl, follower, 0x100000000ul | TIOCSTI, &c));
}

/* How a child that makes a call of the x32 ABI ends: its signal's number, or 0. */
static void try_x32(void) {
#ifdef __x86_64__
  pid_t child = fork();
  if (child == 0) {
    syscall(0x40000000 + 39);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("x32 %s\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "SIGSYS" : "ok");
#else
  printf("x32 SIGSYS\n");
#endif
}

int main(int argc, char **argv) {
  say("unshare-user", unshare(CLONE_NEWUSER));
  say("unshare-mount", unshare(CLONE_NEWNS));
  say("clone-user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  say("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
  int ns = open("/proc/self/ns/mnt", O_RDONLY);
  say("setns", setns(ns, 0));
  say("chroot", chroot("/tmp"));
  say("mknod", mknod("/tmp/block", S_IFBLK | 0600, makedev(8, 0)));
  if (argc > 1) say("host-signal", kill((pid_t)atoi(argv[1]), 0));
  try_open("sysrq", "/proc/sysrq-trigger", O_WRONLY);
  try_open("core-pattern", "/proc/sys/kernel/core_pattern", O_WRONLY);
  try_open("kcore", "/proc/kcore", O_RDONLY);
  try_open("kmsg", "/dev/kmsg", O_RDONLY);
  try_open("shadow", "/etc/shadow", O_RDONLY);
  try_open("init-environ", "/proc/1/environ", O_RDONLY);
  try_socket("vsock", 40);
  try_socket("packet", AF_PACKET);
  try_socket("alg", 38);
  try_socket("inet", AF_INET);
  try_terminal();
  say("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
  say("bpf", syscall(SYS_bpf, 0, NULL, 0));
  say("io-uring", syscall(SYS_io_uring_setup, 1, NULL));
  say("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
  say("setuid-bit", creat("/tmp/suid", 04755));
  try_x32();
  return 0;
}
