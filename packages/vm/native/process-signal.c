#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define PASSES 16

static uint32_t session_pass(pid_t session, int signal) {
  static struct proc_walk walk;
  uint32_t count = 0;
  if (!proc_walk_begin(&walk)) return 0;
  const char *name;
  while ((name = proc_walk_next(&walk)) != NULL) {
    struct proc_stat stat;
    if (!proc_stat_read(walk.fd, name, &stat) || stat.sid != (uint32_t)session) continue;
    if (stat.state == 'Z' || stat.state == 'X') continue;
    if (kill((pid_t)stat.pid, signal) == 0) count++;
  }
  proc_walk_end(&walk);
  return count;
}

/* SIGKILL is repeated until nobody is left: a process may fork while /proc is read. */
void session_kill(pid_t session, int signal) {
  if (session <= 1) return;
  /* The leader first, in case /proc can't be read. */
  if (signal == SIGKILL) kill(session, SIGKILL);
  for (int pass = 0; pass < PASSES; pass++)
    if (session_pass(session, signal) == 0 || signal != SIGKILL) return;
}

void vm_signal(const uint8_t *payload) {
  uint32_t number = get_u32(payload);
  int error = 0;
  if (number == 0 || number >= NSIG) error = EINVAL;
  /* Anywhere but in a pid namespace of our own, -1 is every process of the machine. */
  else if (getpid() != 1) error = EPERM;
  else if (kill(-1, (int)number) < 0 && errno != ESRCH) error = errno;
  if (error != 0) link_fail(0, error, "signal");
}

bool process_signal(struct process *process, const uint8_t *payload, size_t length) {
  if (length != 5) return false;
  uint32_t number = get_u32(payload);
  if (number == 0 || number >= NSIG) {
    link_fail(process->stream, EINVAL, "signal");
    return true;
  }
  int error = 0;
  pid_t pid = process->pid;
  uint8_t scope = payload[4];
  /* A number that lives again although its owner was reaped is another process: the kernel does not
   * give it away while the group or the session has a member. */
  if (process->reaped && (scope == SCOPE_PROCESS || kill(pid, 0) == 0)) error = ESRCH;
  else if (scope == SCOPE_SESSION) session_kill(pid, (int)number);
  else if (kill(scope == SCOPE_GROUP ? -pid : pid, (int)number) < 0) error = errno;
  if (error != 0) link_fail(process->stream, error, "signal");
  return true;
}
