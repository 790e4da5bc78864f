/*
 * Which numbers of system calls the kernel or a filter refuses: prints "refused N..." (EPERM),
 * "missing N..." (ENOSYS) and "taken N..." (anything else). Every argument is -1, which no call can
 * act on; what acts without arguments is called in a process of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 512, TAKEN = 0, MISSING = 1, REFUSED = 2 };

/* They end, stop or double the caller, whatever their arguments are. */
static const int untried[] = {
    SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_clone,
#ifdef SYS_vfork
    SYS_vfork, SYS_fork, SYS_pause,
#endif
};

static int answer_of(int number) {
  for (size_t i = 0; i < sizeof untried / sizeof *untried; i++)
    if (untried[i] == number) return -1;
  pid_t child = fork();
  if (child == 0) {
    alarm(2);
    long result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    _exit(result != -1 ? TAKEN : errno == ENOSYS ? MISSING : errno == EPERM ? REFUSED : TAKEN);
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) continue;
  /* One that a signal ended got somewhere. */
  return WIFEXITED(status) ? WEXITSTATUS(status) : TAKEN;
}

int main(void) {
  static const char *const names[] = {"taken", "missing", "refused"};
  static int answers[NUMBERS];
  for (int number = 0; number < NUMBERS; number++) answers[number] = answer_of(number);
  for (int kind = TAKEN; kind <= REFUSED; kind++) {
    printf("%s", names[kind]);
    for (int number = 0; number < NUMBERS; number++)
      if (answers[number] == kind) printf(" %d", number);
    printf("\n");
  }
  return 0;
}
