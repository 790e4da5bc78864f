#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN 128
#define TURN_BYTES (256u * 1024u)

static int epoll_fd = -1, signal_fd = -1, mount_fd = -1;
static int64_t now_us, next_deadline_us = INT64_MAX, grace_until_us, grace_us;
static bool configured, kept = true;

static int64_t read_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t agent_now(void) { return now_us; }

void agent_deadline(int64_t at) {
  if (at < next_deadline_us) next_deadline_us = at;
}

static int control(int operation, int fd, uint32_t events, enum watched what, uint32_t index) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)what << 32 | index};
  return epoll_ctl(epoll_fd, operation, fd, &event) < 0 ? errno : 0;
}

int agent_watch(int fd, uint32_t events, enum watched what, uint32_t index) {
  return control(EPOLL_CTL_ADD, fd, events, what, index);
}

int agent_rewatch(int fd, uint32_t events, enum watched what, uint32_t index) {
  return control(EPOLL_CTL_MOD, fd, events, what, index);
}

void agent_unwatch(int fd) { epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL); }

void agent_detached(void) {
  /* A pooled VM and a spare one are nobody's: they go with the sidecar that made them. */
  grace_until_us = now_us + (configured && kept ? grace_us : 0);
  agent_deadline(grace_until_us);
}

void agent_attached(void) { grace_until_us = 0; }

void agent_keep(bool keep) { kept = keep; }

bool agent_configured(void) { return configured; }

static _Noreturn void end_unsealed(int error, const char *step) {
  link_fail(0, error, step);
  link_last_words();
  _exit(1);
}

void agent_prepare(uint32_t stream, const uint8_t *config, size_t length) {
  static bool prepared;
  if (prepared || configured) {
    link_fail(stream, EALREADY, "prepare");
    return;
  }
  const char *step = "config";
  int error = sandbox_prepare(config, length, mount_fd, &step);
  if (error != 0) end_unsealed(error, step);
  prepared = true;
}

void agent_configure(uint32_t stream, const uint8_t *config, size_t length) {
  if (configured) {
    link_fail(stream, EALREADY, "config");
    return;
  }
  const char *step = "config";
  int error = sandbox_enter(config, length, mount_fd, &step);
  if (error != 0) end_unsealed(error, step);
  if (mount_fd >= 0) close(mount_fd);
  mount_fd = -1;
  /* Guests share the user id: without this they could read and write the memory of PID 1. */
  prctl(PR_SET_DUMPABLE, 0);
  process_start_begin();
  configured = true;
  link_ready();
}

static void reap(void) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    if (!process_reap(pid, status)) file_job_reap(pid, status);
  }
}

static void clear_signals(void) {
  struct signalfd_siginfo infos[16];
  while (read(signal_fd, infos, sizeof infos) > 0) continue;
}

static void output_event(uint32_t index, unsigned channel) {
  struct process *process = process_at(index);
  if (process == NULL || process->out[channel].fd < 0) return;
  process->out[channel].readable = true;
  process_pump(process, channel, TURN_BYTES);
}

/* Events may be about a slot that was emptied and taken again within one batch: every reaction is
 * non-blocking and finds nothing to do then. */
static bool handle_event(const struct epoll_event *event) {
  uint32_t index = (uint32_t)event->data.u64;
  struct process *process;
  switch ((enum watched)(event->data.u64 >> 32)) {
    case WATCH_LINK: link_event(event->events); return false;
    case WATCH_LISTEN: adopt_accept(); return false;
    case WATCH_HELLO: adopt_read(index); return false;
    case WATCH_SIGNAL: return true;
    case WATCH_OUT: output_event(index, 0); return false;
    case WATCH_ERR: output_event(index, 1); return false;
    case WATCH_TERMINAL:
      if (event->events & ~(uint32_t)EPOLLOUT) output_event(index, 0);
      process = process_at(index);
      if (process == NULL || !process_is_terminal(process) || !(event->events & EPOLLOUT)) return false;
      process->in.writable = true;
      terminal_flush(process);
      return false;
    case WATCH_CONNECTION: connection_event(index, event->events); return false;
    case WATCH_DOOR: door_event(index); return false;
    case WATCH_IN:
      process = process_at(index);
      if (process == NULL || process->in.fd < 0) return false;
      process->in.writable = true;
      process_stdin_flush(process);
      return false;
  }
  return false;
}

static void run_timers(void) {
  if (now_us < next_deadline_us) return;
  next_deadline_us = INT64_MAX;
  if (grace_until_us != 0) {
    if (now_us >= grace_until_us) _exit(0);
    agent_deadline(grace_until_us);
  }
  processes_timers(now_us);
  adopt_timers(now_us);
  doors_timers(now_us);
}

static int wait_ms(bool more) {
  if (more) return 0;
  if (next_deadline_us == INT64_MAX) return -1;
  int64_t left = next_deadline_us - read_clock();
  if (left <= 0) return 0;
  if (left > INT64_C(1000000000)) return 1000000;
  return (int)((left + 999) / 1000);
}

static _Noreturn void serve(void) {
  struct epoll_event events[EVENTS_PER_TURN];
  for (bool more = false;;) {
    int count = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, wait_ms(more));
    now_us = read_clock();
    bool children = false;
    for (int i = 0; i < count; i++) children |= handle_event(&events[i]);
    if (children) {
      /* Cleared first: a child that ends while the others are reaped raises it again. */
      clear_signals();
      reap();
    }
    run_timers();
    more = link_input();
    more |= processes_pump();
    more |= link_output();
    link_timers(now_us);
  }
}

/* Ignored signals and the mask survive exec; the children get neither. */
static int prepare_signals(void) {
  for (int signal_number = 1; signal_number < NSIG; signal_number++)
    if (signal_number != SIGKILL && signal_number != SIGSTOP) signal(signal_number, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0) return -1;
  return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void agent_main(const struct create_spec *spec, int link, int listen_fd, int mounts) {
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  umask(022);
  now_us = read_clock();
  mount_fd = mounts;
  grace_us = (int64_t)spec->adopt_grace_ms * 1000;
  signal_fd = prepare_signals();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (signal_fd < 0 || epoll_fd < 0 || agent_watch(signal_fd, EPOLLIN, WATCH_SIGNAL, 0) != 0) _exit(1);
  if (listen_fd >= 0) fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
  adopt_begin(spec, listen_fd);
  agent_detached();
  link_attach(link);
  serve();
}
