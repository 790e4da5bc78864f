/* The resident spawner: its socket, the requests that come on it, and the watchers. */
#include "frame.h"
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_PENDING = 1024,
  REQUEST_MS = 5000,
  REQUEST_BYTES = 8192,
  BACKLOG = 4096,
};

struct pending {
  int fd; /* -1: free */
  uint32_t have;
  uint64_t deadline;
  uint8_t bytes[FRAME_HEADER_BYTES + REQUEST_BYTES];
};

static struct pending *pending;
static int epoll_fd, listen_fd;
static uint32_t pending_count;
static bool sidecar_gone;
static uint64_t accept_again;

uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void *private_memory(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || madvise(memory, size, MADV_DONTFORK) != 0) {
    report_failure("memory", errno, NULL);
    _exit(1);
  }
  return memory;
}

int spawner_poll(int fd, uint32_t events, enum event_source source, uint32_t index) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)source << 32 | index};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void kill_vm(int fd, const uint8_t *payload, uint32_t length) {
  struct field_reader reader;
  struct field field;
  char id[ID_MAX_BYTES + 1];
  fields_begin(&reader, payload, length);
  int error = EINVAL;
  if (fields_next(&reader, &field) == 1 && field.tag == F_VM_ID && reader.left == 0 &&
      field_string(&field, id, sizeof id) && valid_id(id))
    error = vms_kill(id);
  if (error) frame_send_fail(fd, 0, error, "vmId");
}

static void snapshot_vm(int fd, const uint8_t *payload, uint32_t length) {
  static struct snapshot_request request;
  const char *step = "snapshot";
  int error = snapshot_parse(payload, length, &request, &step);
  if (error == 0) {
    step = "vmId";
    error = vms_snapshot(&request, fd);
  }
  if (error) frame_send_fail(fd, 0, error, step);
}

static void adjust_vm(int fd, const uint8_t *payload, uint32_t length) {
  struct adjust_request request;
  const char *step = "adjust";
  int error = adjust_parse(payload, length, &request, &step);
  if (error == 0) {
    step = "vmId";
    error = vms_adjust(&request, fd);
  }
  if (error) frame_send_fail(fd, 0, error, step);
}

/* The whole first frame is there. True: the connection is kept. */
static bool serve(int fd, const struct frame *frame, const uint8_t *payload) {
  const char *step;
  struct create_request request;
  int error;
  switch (frame->kind) {
    case K_CREATE:
      error = create_parse(payload, frame->length, &request, &step);
      if (error) frame_send_fail(fd, 0, error, step);
      else vms_create(&request, fd);
      return false;
    case K_WATCH:
      return frame->length <= 1 && watchers_add(fd, frame->length == 1 && payload[0] == 1);
    case K_KILL:
      kill_vm(fd, payload, frame->length);
      return false;
    case K_SNAPSHOT:
      snapshot_vm(fd, payload, frame->length);
      return false;
    case K_ADJUST:
      adjust_vm(fd, payload, frame->length);
      return false;
    default:
      return false;
  }
}

static void pending_end(struct pending *p, bool keep) {
  if (!keep) close(p->fd);
  p->fd = -1;
  pending_count--;
}

/* Never reads beyond the frame: what follows CREATE belongs to PID 1. */
static void pending_read(struct pending *p) {
  for (;;) {
    struct frame frame = {0};
    uint32_t want = FRAME_HEADER_BYTES;
    if (p->have >= want) {
      if (!frame_get(p->bytes, &frame) || frame.length > REQUEST_BYTES) {
        pending_end(p, false);
        return;
      }
      want += frame.length;
    }
    if (p->have >= FRAME_HEADER_BYTES && p->have == want) {
      epoll_ctl(epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
      pending_end(p, serve(p->fd, &frame, p->bytes + FRAME_HEADER_BYTES));
      explicit_bzero(p->bytes, want);
      return;
    }
    ssize_t n = recv(p->fd, p->bytes + p->have, want - p->have, MSG_DONTWAIT);
    if (n > 0) {
      p->have += (uint32_t)n;
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      return;
    } else {
      pending_end(p, false);
      return;
    }
  }
}

static void accept_one(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != geteuid()) {
    close(fd);
    return;
  }
  uint32_t i = 0;
  while (i < MAX_PENDING && pending[i].fd >= 0) i++;
  if (i == MAX_PENDING) {
    frame_send_fail(fd, 0, EAGAIN, "pending");
    close(fd);
    return;
  }
  struct pending *p = &pending[i];
  p->fd = fd;
  p->have = 0;
  p->deadline = now_ms() + REQUEST_MS;
  pending_count++;
  /* Mostly the request came with the connection. */
  pending_read(p);
  if (p->fd >= 0 && spawner_poll(fd, EPOLLIN, ON_PENDING, i) != 0) pending_end(p, false);
}

static void accept_all(void) {
  for (;;) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
      accept_one(fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) {
      report_failure("accept", errno, NULL);
      accept_again = now_ms() + 50;
    }
    return;
  }
}

static void on_stdin(void) {
  char ignored[512];
  ssize_t n;
  do n = read(0, ignored, sizeof ignored);
  while (n < 0 && errno == EINTR);
  if (n > 0 || (n < 0 && errno == EAGAIN)) return;
  sidecar_gone = true;
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, 0, NULL);
}

static void on_signal(int fd) {
  struct signalfd_siginfo info;
  while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    sidecar_gone = true;
    if (listen_fd >= 0) close(listen_fd);
    listen_fd = -1;
    vms_kill_all();
  }
}

static void on_event(const struct epoll_event *event) {
  uint32_t index = (uint32_t)event->data.u64;
  switch ((enum event_source)(event->data.u64 >> 32)) {
    case ON_LISTENER:
      if (listen_fd >= 0) accept_all();
      break;
    case ON_STDIN:
      on_stdin();
      break;
    case ON_PENDING:
      if (pending[index].fd >= 0) pending_read(&pending[index]);
      break;
    case ON_WATCHER:
      watchers_event(index, event->events);
      break;
    case ON_REPORT:
      vms_report_ready(index);
      break;
    case ON_MEMORY:
      vms_memory_event(index);
      break;
    case ON_SIGNAL:
      break;
  }
}

static int next_timeout(void) {
  if (vms_cleaning()) return 10;
  if (accept_again != 0) return 50;
  return pending_count > 0 ? 250 : -1;
}

static void on_time(uint64_t now) {
  if (vms_cleaning()) vms_clean(now);
  if (accept_again != 0 && now >= accept_again) {
    accept_again = 0;
    if (listen_fd >= 0) accept_all();
  }
  if (pending_count == 0) return;
  for (uint32_t i = 0; i < MAX_PENDING; i++)
    if (pending[i].fd >= 0 && now >= pending[i].deadline)
      pending_end(&pending[i], false);
}

/* A socket file that nobody listens on is a dead spawner's. */
static int listen_replacing(const char *path) {
  int fd = listen_unix(path, BACKLOG);
  if (fd >= 0 || errno != EADDRINUSE) return fd;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path) + 1);
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return -1;
  int connected = connect(probe, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  close(probe);
  if (connected == 0 || error != ECONNREFUSED) {
    errno = EADDRINUSE;
    return -1;
  }
  if (unlink(path) != 0) return -1;
  return listen_unix(path, BACKLOG);
}

static int failed(const char *step) {
  report_failure(step, errno, NULL);
  return 1;
}

static int open_signals(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGHUP);
  signal(SIGPIPE, SIG_IGN);
  /* Ignored by whoever started us: children would be reaped unseen. */
  signal(SIGCHLD, SIG_DFL);
  if (sigprocmask(SIG_SETMASK, &mask, NULL) != 0) return -1;
  return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = limit.rlim_max < 65536 && geteuid() == 0 ? 65536 : limit.rlim_max;
  struct rlimit raised = {wanted, wanted};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static bool same_file(const struct stat *a, const char *path) {
  struct stat b;
  return lstat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

int spawner_run(const char *socket_path) {
  if (close_from(3) != 0) return failed("close-range");
  setsid(); /* fails for a group leader, who is in a session of its own or a person's at a shell */
  umask(022);
  if (chdir("/") != 0) return failed("chdir");
  raise_open_files();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return failed("subreaper");
  pending = private_memory(MAX_PENDING * sizeof *pending);
  for (uint32_t i = 0; i < MAX_PENDING; i++) pending[i].fd = -1;
  watchers_start();
  vms_start();
  seccomp_prepare();
  int signal_fd = open_signals();
  if (signal_fd < 0) return failed("signals");
  struct stat socket_file;
  if ((listen_fd = listen_replacing(socket_path)) < 0) return failed("socket");
  if (lstat(socket_path, &socket_file) != 0) return failed("socket");
  if (fcntl(listen_fd, F_SETFL, O_NONBLOCK) != 0) return failed("socket");
  if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) return failed("epoll");
  if (spawner_poll(listen_fd, EPOLLIN | EPOLLET, ON_LISTENER, 0) != 0) return failed("epoll");
  if (spawner_poll(signal_fd, EPOLLIN, ON_SIGNAL, 0) != 0) return failed("epoll");
  /* A file or /dev/null can't be polled, and has no one at its other end. */
  if (spawner_poll(0, EPOLLIN, ON_STDIN, 0) != 0) sidecar_gone = true;
  if (write_full(1, "ready\n", 6) != 0) return failed("stdout");
  while (!sidecar_gone || vms_count() > 0) {
    struct epoll_event events[64];
    int n = epoll_wait(epoll_fd, events, 64, next_timeout());
    if (n < 0 && errno != EINTR) return failed("epoll");
    bool signalled = false;
    for (int i = 0; i < n; i++) {
      if (events[i].data.u64 >> 32 == ON_SIGNAL) signalled = true;
      else on_event(&events[i]);
    }
    if (signalled) {
      on_signal(signal_fd);
      vms_reap();
    }
    on_time(now_ms());
  }
  if (same_file(&socket_file, socket_path)) unlink(socket_path);
  return 0;
}
