#include "agent.h"
#include "link-output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* At most this much of the peer's frames is handled before everybody else has a turn. */
#define TURN_FRAMES 64
#define READ_BYTES (256u * 1024u)
#define KEPT_BYTES (64u * 1024u)
#define TRIM_AFTER_US 1000000

static struct {
  int fd;
  bool readable;
  size_t head, tail; /* unparsed bytes of `bytes` */
  size_t touched;
  int64_t trim_at_us;
} in = {.fd = -1};

/* One byte more than the longest frame: an EXEC's last string is terminated in place. */
static _Alignas(4096) uint8_t in_bytes[FRAME_HEADER_BYTES + FRAME_MAX_PAYLOAD + 1];
#define IN_CAPACITY (sizeof in_bytes - 1)

bool link_is_open(void) { return in.fd >= 0; }

static void forget_frames(void) {
  in.head = in.tail = 0;
  output_reset(in.fd);
}

void link_attach(int fd) {
  if (in.fd >= 0) link_drop();
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      agent_watch(fd, LINK_EVENTS, WATCH_LINK, 0) != 0) {
    close(fd);
    return;
  }
  in.fd = fd;
  in.readable = true;
  forget_frames();
  agent_attached();
}

void link_drop(void) {
  if (in.fd < 0) return;
  close(in.fd);
  in.fd = -1;
  forget_frames();
  readers_detach();
  files_detach();
  doors_detach();
  connections_detach();
  processes_detach();
  agent_detached();
}

void link_event(uint32_t events) {
  if (in.fd < 0) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) in.readable = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) output_writable();
}

/* 1: one frame handled; 0: none is complete; 2: it must wait for room; -1: the link is at an end. */
static int next_frame(void) {
  if (in.tail - in.head < FRAME_HEADER_BYTES) return 0;
  struct frame frame;
  if (!frame_get(in_bytes + in.head, &frame) || !dispatch_known(frame.kind)) return -1;
  if (in.tail - in.head - FRAME_HEADER_BYTES < frame.length) return 0;
  if (!output_has_room(dispatch_room(frame.kind))) return 2;
  uint8_t *payload = in_bytes + in.head + FRAME_HEADER_BYTES;
  uint8_t after = payload[frame.length];
  int fd = in.fd;
  bool parsed = dispatch(&frame, payload);
  if (in.fd != fd) return -1;
  payload[frame.length] = after;
  in.head += FRAME_HEADER_BYTES + frame.length;
  if (in.head == in.tail) in.head = in.tail = 0;
  return parsed ? 1 : -1;
}

/* Room for the rest of a frame that begins near the end of the buffer. */
static void make_room(void) {
  if (in.head == 0 || IN_CAPACITY - in.tail >= READ_BYTES) return;
  memmove(in_bytes, in_bytes + in.head, in.tail - in.head);
  in.tail -= in.head;
  in.head = 0;
}

/* False: nothing to read now, or the link is at an end. */
static bool read_more(void) {
  make_room();
  size_t room = IN_CAPACITY - in.tail;
  ssize_t n = read(in.fd, in_bytes + in.tail, room < READ_BYTES ? room : READ_BYTES);
  if (n > 0) {
    in.tail += (size_t)n;
    if (in.tail > in.touched) in.touched = in.tail;
    return true;
  }
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    in.readable = false;
    return false;
  }
  link_drop();
  return false;
}

void link_ready(void) {
  uint8_t payload[8];
  put_u32(payload, LINK_VERSION);
  put_u32(payload + 4, sandbox_walls());
  link_control(K_READY, 0, 0, payload, sizeof payload);
}

bool link_input(void) {
  for (int turn = 0; in.fd >= 0; turn++) {
    if (turn >= TURN_FRAMES) return true;
    int next = next_frame();
    if (next < 0) link_drop();
    if (next == 2) return output_is_writable();
    if (next == 0 && (!in.readable || !read_more())) break;
  }
  return false;
}

void link_timers(int64_t now) {
  if (in.trim_at_us != 0 && now >= in.trim_at_us) {
    in.trim_at_us = 0;
    if (in.head == in.tail && in.touched > KEPT_BYTES) {
      madvise(in_bytes + KEPT_BYTES, IN_CAPACITY + 1 - KEPT_BYTES, MADV_DONTNEED);
      in.touched = 0;
    }
    output_trim();
  } else if (in.trim_at_us == 0 && (in.touched > KEPT_BYTES || output_is_large())) {
    in.trim_at_us = now + TRIM_AFTER_US;
  }
  if (in.trim_at_us != 0) agent_deadline(in.trim_at_us);
}
