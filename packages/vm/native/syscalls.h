/*
 * What a guest may call. Calls that aren't here don't exist for it (ENOSYS), so that programs fall
 * back to older ones. SAME calls exist on every architecture, OLD ones only on x86_64.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#define SAME_ALLOWED(X) \
  X(read) X(write) X(close) X(fstat) X(lseek) X(mmap) X(mprotect) X(munmap) X(brk) \
  X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigpending) X(rt_sigtimedwait) \
  X(rt_sigqueueinfo) X(rt_sigsuspend) X(rt_tgsigqueueinfo) X(sigaltstack) \
  X(pread64) X(pwrite64) X(readv) X(writev) X(preadv) X(pwritev) X(preadv2) X(pwritev2) \
  X(sched_yield) X(mremap) X(msync) X(mincore) X(madvise) X(membarrier) X(mlock) X(mlock2) \
  X(munlock) X(mlockall) X(munlockall) X(pkey_alloc) X(pkey_free) X(pkey_mprotect) \
  X(get_mempolicy) X(memfd_create) \
  X(shmget) X(shmat) X(shmctl) X(shmdt) X(semget) X(semop) X(semctl) X(semtimedop) \
  X(msgget) X(msgsnd) X(msgrcv) X(msgctl) \
  X(mq_open) X(mq_unlink) X(mq_timedsend) X(mq_timedreceive) X(mq_notify) X(mq_getsetattr) \
  X(dup) X(dup3) X(pipe2) X(fcntl) X(flock) X(fsync) X(fdatasync) X(sync) X(syncfs) \
  X(sync_file_range) X(readahead) X(fadvise64) X(fallocate) X(truncate) X(ftruncate) \
  X(copy_file_range) X(sendfile) X(splice) X(tee) X(close_range) \
  X(connect) X(accept) X(accept4) X(sendto) X(recvfrom) X(sendmsg) X(recvmsg) X(sendmmsg) \
  X(recvmmsg) X(shutdown) X(bind) X(listen) X(getsockname) X(getpeername) X(setsockopt) \
  X(getsockopt) \
  X(execve) X(execveat) X(exit) X(exit_group) X(wait4) X(waitid) X(kill) X(tkill) X(tgkill) \
  X(pidfd_open) X(pidfd_send_signal) X(set_tid_address) X(restart_syscall) X(rseq) \
  X(futex) X(set_robust_list) X(get_robust_list) \
  X(uname) X(sysinfo) X(times) X(getrusage) X(getcpu) X(getrandom) X(gettimeofday) \
  X(getcwd) X(chdir) X(fchdir) X(fchown) X(fchownat) X(umask) X(getdents64) X(statfs) \
  X(fstatfs) X(statx) X(newfstatat) X(faccessat) X(faccessat2) X(mkdirat) X(unlinkat) \
  X(renameat) X(renameat2) X(linkat) X(symlinkat) X(readlinkat) X(utimensat) \
  X(setxattr) X(lsetxattr) X(fsetxattr) X(getxattr) X(lgetxattr) X(fgetxattr) X(listxattr) \
  X(llistxattr) X(flistxattr) X(removexattr) X(lremovexattr) X(fremovexattr) \
  X(getpid) X(getppid) X(gettid) X(getuid) X(geteuid) X(getgid) X(getegid) X(setuid) \
  X(setgid) X(setreuid) X(setregid) X(setresuid) X(getresuid) X(setresgid) X(getresgid) \
  X(setfsuid) X(setfsgid) X(getgroups) X(setgroups) X(setpgid) X(getpgid) X(setsid) X(getsid) \
  X(capget) X(capset) X(getrlimit) X(setrlimit) X(prlimit64) \
  X(getpriority) X(setpriority) X(ioprio_get) X(ioprio_set) X(sched_setparam) \
  X(sched_getparam) X(sched_setscheduler) X(sched_getscheduler) X(sched_get_priority_max) \
  X(sched_get_priority_min) X(sched_rr_get_interval) X(sched_setaffinity) \
  X(sched_getaffinity) X(sched_setattr) X(sched_getattr) \
  X(nanosleep) X(clock_nanosleep) X(clock_gettime) X(clock_getres) X(getitimer) X(setitimer) \
  X(timer_create) X(timer_settime) X(timer_gettime) X(timer_getoverrun) X(timer_delete) \
  X(timerfd_create) X(timerfd_settime) X(timerfd_gettime) \
  X(epoll_create1) X(epoll_ctl) X(epoll_pwait) X(epoll_pwait2) X(pselect6) X(ppoll) \
  X(signalfd4) X(eventfd2) X(inotify_init1) X(inotify_add_watch) X(inotify_rm_watch) \
  X(io_setup) X(io_destroy) X(io_submit) X(io_cancel) X(io_getevents) X(io_pgetevents) \
  X(seccomp)

#define OLD_ALLOWED(X) \
  X(stat) X(lstat) X(access) X(pipe) X(dup2) X(poll) X(select) X(fork) X(vfork) X(alarm) \
  X(pause) X(time) X(getdents) X(rename) X(mkdir) X(rmdir) X(link) X(unlink) X(symlink) \
  X(readlink) X(chown) X(lchown) X(utime) X(utimes) X(futimesat) X(getpgrp) X(arch_prctl) \
  X(epoll_create) X(epoll_wait) X(eventfd) X(signalfd) X(inotify_init)

/* Newer than the headers that we build with; these numbers are the same everywhere. */
#define NEW_ALLOWED(N) \
  N(444) /* landlock_create_ruleset */ N(445) /* landlock_add_rule */ \
  N(446) /* landlock_restrict_self */ N(449) /* futex_waitv */ N(451) /* cachestat */ \
  N(453) /* map_shadow_stack */ N(454) /* futex_wake */ N(455) /* futex_wait */ \
  N(456) /* futex_requeue */ N(462) /* mseal */

/* Programs that try these are told that they may not, rather than that they don't exist. */
#define SAME_DENIED(X) \
  X(mount) X(umount2) X(pivot_root) X(chroot) X(setns) X(unshare) X(keyctl) X(add_key) \
  X(request_key) X(bpf) X(perf_event_open) X(userfaultfd) X(ptrace) X(process_vm_readv) \
  X(process_vm_writev) X(kcmp) X(vmsplice) X(kexec_load) X(init_module) X(finit_module) \
  X(delete_module) X(reboot) X(swapon) X(swapoff) X(acct) X(quotactl) X(syslog) \
  X(open_by_handle_at) X(name_to_handle_at) X(settimeofday) X(clock_settime) X(adjtimex) \
  X(clock_adjtime) X(sethostname) X(setdomainname) X(vhangup) X(fanotify_init) \
  X(fanotify_mark) X(mbind) X(set_mempolicy) X(migrate_pages) X(move_pages)

#define OLD_DENIED(X) X(iopl) X(ioperm) X(modify_ldt) X(kexec_file_load)

#define NEW_DENIED(N) \
  N(425) N(426) N(427) /* io_uring_setup, _enter, _register */ \
  N(428) N(429) N(430) N(431) N(432) N(433) /* open_tree, move_mount, fsopen ... fspick */ \
  N(438) /* pidfd_getfd */ N(442) /* mount_setattr */ N(443) /* quotactl_fd */ \
  N(467) /* open_tree_attr */

#endif
