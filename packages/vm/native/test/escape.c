/* Tries, inside a VM, what a guest must not be able to do. One line each: name, then the outcome. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void report(const char *name, long result) {
  const char *error = result >= 0 ? "ok" : strerrorname_np(errno);
  printf("%s %s\n", name, error ? error : "?");
}

static void report_child(const char *name, void (*run)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    run();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
  else printf("%s exit-%d\n", name, WEXITSTATUS(status));
}

#ifdef __x86_64__
static void x32(void) { syscall(0x40000000 + 39); }
static void foreign(void) {
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
}
#endif

static void terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  report("openpt", master);
  if (master < 0) return;
  grantpt(master);
  unlockpt(master);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  report("pts", slave);
  char c = 'x';
  report("tiocsti", syscall(SYS_ioctl, slave, 0x5412UL, &c));
  report("tiocsti-high", syscall(SYS_ioctl, slave, 0x100005412UL, &c));
  report("tioclinux", syscall(SYS_ioctl, slave, 0x541cUL, &c));
  int discipline = 13;
  report("tiocsetd", syscall(SYS_ioctl, slave, 0x5423UL, &discipline));
}

static void namespaces(void) {
  report("unshare-user", unshare(CLONE_NEWUSER));
  report("setns", setns(0, 0));
  report("clone-user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  report("clone-user-high",
         syscall(SYS_clone, 0xff00000000000000UL | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  report("clone3", syscall(435, NULL, 0));
  report("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
  report("umount", umount2("/proc", MNT_DETACH));
  report("chroot", chroot("/tmp"));
  report("pivot", syscall(SYS_pivot_root, ".", "."));
  report("open-tree", syscall(428, AT_FDCWD, "/", 1));
  report("fsopen", syscall(430, "tmpfs", 0));
  report("mount-setattr", syscall(442, AT_FDCWD, "/", 0, NULL, 0));
}

static void kernel(void) {
  report("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  report("bpf", syscall(SYS_bpf, 0, NULL, 0));
  report("io-uring", syscall(425, 1, NULL));
  report("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
  report("ptrace-init", ptrace(PTRACE_ATTACH, 1, 0, 0));
  report("perf", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
  report("userfaultfd", syscall(SYS_userfaultfd, 0));
  report("process-vm", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0));
  report("pidfd-getfd", syscall(438, 1, 0, 0));
  report("syslog", syscall(SYS_syslog, 3, NULL, 0));
  report("by-handle", syscall(SYS_open_by_handle_at, -1, NULL, 0));
  report("openat2", syscall(437, AT_FDCWD, "/", NULL, 0));
  report("unknown", syscall(511));
  report("unknown-high", syscall(100000));
  report("personality-rie", syscall(SYS_personality, READ_IMPLIES_EXEC));
  report("personality-linux", syscall(SYS_personality, 0xffffffff));
  report("prctl-mm", prctl(PR_SET_MM, 1, 0, 0, 0));
  report("prctl-name", prctl(PR_SET_NAME, "x"));
  report("prctl-unknown", prctl(9999));
  report("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  report("hostname", sethostname("x", 1));
}

static void sockets(void) {
  report("vsock", socket(40, SOCK_STREAM, 0));
  report("packet", socket(AF_PACKET, SOCK_RAW, 0));
  report("alg", socket(38, SOCK_SEQPACKET, 0));
  report("bluetooth", socket(31, SOCK_RAW, 0));
  report("netlink-route", socket(AF_NETLINK, SOCK_RAW, 0));
  report("netlink-uevent", socket(AF_NETLINK, SOCK_DGRAM, 15));
  report("inet", socket(AF_INET, SOCK_STREAM, 0));
  report("inet6", socket(AF_INET6, SOCK_STREAM, 0));
  report("unix", socket(AF_UNIX, SOCK_STREAM, 0));
  report("raw", socket(AF_INET, SOCK_RAW, 1));
}

static void set_id(const char *directory) {
  if (chdir(directory) != 0) return;
  report("create", open("plain", O_CREAT | O_WRONLY, 0600));
  report("suid-openat", open("a", O_CREAT | O_WRONLY, 04755));
  report("suid-chmod", chmod("plain", 04755));
  report("sgid-chmod", chmod("plain", 02755));
  report("sticky-chmod", chmod("plain", 01755));
  report("suid-fchmod", fchmod(open("plain", O_RDONLY), 04755));
  report("suid-fchmodat2", syscall(452, AT_FDCWD, "plain", 04755, 0));
  report("suid-mknod", mknod("b", S_IFREG | 04755, 0));
  report("mknod-block", mknod("c", S_IFBLK | 0600, 259 << 8));
  report("mknod-fifo", mknod("d", S_IFIFO | 0600, 0));
  report("tmpfile", open(".", O_TMPFILE | O_RDWR, 0600));
  report("suid-tmpfile", open(".", O_TMPFILE | O_RDWR, 04755));
  report("plain-garbage-mode", syscall(SYS_openat, AT_FDCWD, "plain", O_RDONLY, 04755));
#ifdef __x86_64__
  report("suid-open", syscall(SYS_open, "e", O_CREAT | O_WRONLY, 04755));
  report("suid-creat", syscall(SYS_creat, "f", 02755));
  report("suid-chmod-old", syscall(SYS_chmod, "plain", 06755));
#endif
}

static void files(void) {
  static const char *const writes[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
                                       "/usr/zz", "/etc/zz", "/zz", "/dev/zz"};
  for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
    printf("write");
    report(writes[i], open(writes[i], O_WRONLY | O_CREAT, 0600));
  }
  static const char *const reads[] = {"/proc/1/environ", "/proc/1/mem",  "/proc/1/maps",
                                      "/proc/kcore",     "/dev/kmsg",    "/etc/shadow",
                                      "/sys",            "/dev/vda",     "/proc/1/root",
                                      "/proc/1/fd",      "/proc/1/exe"};
  for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
    printf("read");
    report(reads[i], open(reads[i], O_RDONLY));
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  namespaces();
  kernel();
  sockets();
  terminal();
  files();
  report("kill-host", kill(argc > 1 ? atoi(argv[1]) : 4000000, 0));
  report("setuid-root", setuid(0));
  set_id(argc > 2 ? argv[2] : "/tmp");
#ifdef __x86_64__
  report_child("x32", x32);
  report_child("int80", foreign);
#else
  (void)report_child;
#endif
  return 0;
}
