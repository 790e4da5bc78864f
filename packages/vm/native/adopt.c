#include "agent.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLOS_MAX 8
#define HELLO_TIMEOUT_US 5000000
#define ACCEPT_PAUSE_US 100000
#define HELLO_PAYLOAD_BYTES (4 + 8 + SECRET_BYTES)
#define HELLO_BYTES (FRAME_HEADER_BYTES + HELLO_PAYLOAD_BYTES)

/* A connection that has not said who it is. */
static struct hello {
  int fd;
  int64_t deadline_us;
  size_t have;
  uint8_t bytes[HELLO_BYTES];
} hellos[HELLOS_MAX];

static int listener = -1;
static bool paused;
static int64_t resume_at_us; /* 0: when a place is free */
static uint64_t highest_epoch;
static uint8_t expected_secret[SECRET_BYTES];

void adopt_begin(const struct create_spec *spec, int listen_fd) {
  for (int i = 0; i < HELLOS_MAX; i++) hellos[i].fd = -1;
  highest_epoch = spec->epoch;
  memcpy(expected_secret, spec->secret, SECRET_BYTES);
  listener = listen_fd;
  if (listener >= 0) agent_watch(listener, EPOLLIN, WATCH_LISTEN, 0);
}

/* The listener is level-triggered: whoever can't be accepted waits in its backlog, unwatched. */
static void pause_accepting(int64_t until) {
  if (!paused) agent_rewatch(listener, 0, WATCH_LISTEN, 0);
  paused = true;
  resume_at_us = until;
  if (until != 0) agent_deadline(until);
}

static void resume_accepting(void) {
  if (!paused) return;
  paused = false;
  resume_at_us = 0;
  agent_rewatch(listener, EPOLLIN, WATCH_LISTEN, 0);
}

static struct hello *free_hello(void) {
  for (int i = 0; i < HELLOS_MAX; i++)
    if (hellos[i].fd < 0) return &hellos[i];
  return NULL;
}

void adopt_accept(void) {
  struct hello *hello = free_hello();
  if (hello == NULL) {
    pause_accepting(0);
    return;
  }
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      pause_accepting(agent_now() + ACCEPT_PAUSE_US);
    return;
  }
  uint32_t index = (uint32_t)(hello - hellos);
  if (agent_watch(fd, EPOLLIN | EPOLLRDHUP, WATCH_HELLO, index) != 0) {
    close(fd);
    return;
  }
  *hello = (struct hello){.fd = fd, .deadline_us = agent_now() + HELLO_TIMEOUT_US};
  agent_deadline(hello->deadline_us);
}

static void hello_end(struct hello *hello) {
  close(hello->fd);
  hello->fd = -1;
  resume_accepting();
}

static void refuse(struct hello *hello, int error, const char *step) {
  uint8_t bytes[FRAME_HEADER_BYTES + 4 + 16];
  size_t length = 4 + strnlen(step, 16);
  struct frame frame = {(uint32_t)length, K_FAIL, 0, 0};
  frame_put(bytes, &frame);
  put_u32(bytes + FRAME_HEADER_BYTES, (uint32_t)error);
  memcpy(bytes + FRAME_HEADER_BYTES + 4, step, length - 4);
  if (send(hello->fd, bytes, FRAME_HEADER_BYTES + length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    /* a peer that reads nothing learns it from the close */
  }
  hello_end(hello);
}

static bool is_secret(const uint8_t *given) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < SECRET_BYTES; i++) difference |= (uint8_t)(given[i] ^ expected_secret[i]);
  return difference == 0;
}

static void judge(struct hello *hello) {
  struct frame frame;
  if (!frame_get(hello->bytes, &frame) || frame.kind != K_HELLO || frame.length != HELLO_PAYLOAD_BYTES) {
    hello_end(hello);
    return;
  }
  const uint8_t *payload = hello->bytes + FRAME_HEADER_BYTES;
  uint64_t epoch = get_u64(payload + 4);
  if (!is_secret(payload + 12)) refuse(hello, EPERM, "secret");
  else if (epoch < highest_epoch) refuse(hello, ESTALE, "epoch");
  else if (get_u32(payload) != LINK_VERSION) refuse(hello, EPROTONOSUPPORT, "version");
  else {
    highest_epoch = epoch;
    int fd = hello->fd;
    hello->fd = -1;
    agent_unwatch(fd);
    resume_accepting();
    link_attach(fd);
    link_ready();
  }
}

void adopt_read(uint32_t index) {
  if (index >= HELLOS_MAX || hellos[index].fd < 0) return;
  struct hello *hello = &hellos[index];
  /* Not a byte more than HELLO: what follows is for the link. */
  size_t want = hello->have < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : HELLO_BYTES;
  ssize_t n = read(hello->fd, hello->bytes + hello->have, want - hello->have);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    hello_end(hello);
    return;
  }
  hello->have += (size_t)n;
  struct frame frame;
  if (hello->have == FRAME_HEADER_BYTES && (!frame_get(hello->bytes, &frame) || frame.kind != K_HELLO ||
                                            frame.length != HELLO_PAYLOAD_BYTES))
    hello_end(hello);
  else if (hello->have == HELLO_BYTES)
    judge(hello);
}

void adopt_timers(int64_t now) {
  if (paused && resume_at_us != 0) {
    if (now >= resume_at_us) resume_accepting();
    else agent_deadline(resume_at_us);
  }
  for (int i = 0; i < HELLOS_MAX; i++) {
    if (hellos[i].fd < 0) continue;
    if (now >= hellos[i].deadline_us) hello_end(&hellos[i]);
    else agent_deadline(hellos[i].deadline_us);
  }
}
