#include "agent.h"
#include "link-output.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define OUT_BYTES (1024u * 1024u)
#define KEPT_BYTES (64u * 1024u)
/* Data frames up to this size are copied behind the control frames, to leave in one write. */
#define SMALL_FRAME_BYTES (16u * 1024u)
#define FLUSH_AT_BYTES (32u * 1024u)

const char LINK_STAGE[1];

static int link_fd = -1;
static bool writable;

static struct {
  size_t head, tail, touched;
} out;
static _Alignas(4096) uint8_t out_bytes[OUT_BYTES];

/* The one data frame that is partly sent, behind what the out-buffer held when it began. Nothing
 * else may be sent before its end. */
static struct {
  uint8_t header[FRAME_HEADER_BYTES];
  struct iovec parts[4]; /* out-buffer, header, payload */
  int at, count; /* at == count: none */
  const void *owner;
} flight;
static _Alignas(4096) uint8_t stage[DATA_FRAME_BYTES];
static bool stage_touched;

static bool in_flight(void) { return flight.at < flight.count; }

static struct sender *first_sender, *last_sender;
static uint32_t sender_count;

void output_reset(int fd) {
  link_fd = fd;
  writable = fd >= 0;
  out.head = out.tail = 0;
  flight.at = flight.count = 0;
  flight.owner = NULL;
}

void output_writable(void) {
  if (writable) return;
  writable = true;
  agent_rewatch(link_fd, LINK_EVENTS, WATCH_LINK, 0);
}

bool output_is_writable(void) { return writable; }

bool output_has_room(uint32_t bytes) {
  if (OUT_BYTES - out.tail >= bytes) return true;
  if (in_flight() || OUT_BYTES - (out.tail - out.head) < bytes) return false;
  memmove(out_bytes, out_bytes + out.head, out.tail - out.head);
  out.tail -= out.head;
  out.head = 0;
  return true;
}

bool output_is_large(void) { return out.touched > KEPT_BYTES || stage_touched; }

void output_trim(void) {
  if (!in_flight() && out.head == out.tail && out.touched > KEPT_BYTES) {
    madvise(out_bytes + KEPT_BYTES, OUT_BYTES - KEPT_BYTES, MADV_DONTNEED);
    out.touched = 0;
  }
  if (!in_flight() && stage_touched) {
    madvise(stage, sizeof stage, MADV_DONTNEED);
    stage_touched = false;
  }
}

uint8_t *link_reserve(uint32_t most) {
  if (link_fd < 0 || !output_has_room(FRAME_HEADER_BYTES + most)) return NULL;
  return out_bytes + out.tail + FRAME_HEADER_BYTES;
}

void link_commit(uint8_t kind, uint32_t stream, uint32_t length) {
  struct frame frame = {length, kind, stream, 0};
  frame_put(out_bytes + out.tail, &frame);
  out.tail += FRAME_HEADER_BYTES + length;
  if (out.tail > out.touched) out.touched = out.tail;
}

bool link_control(uint8_t kind, uint32_t stream, uint64_t offset, const void *payload, uint32_t length) {
  if (link_fd < 0) return true;
  uint8_t *at = link_reserve(length);
  if (at == NULL) return false;
  if (length > 0) memcpy(at, payload, length);
  link_commit(kind, stream, length);
  put_u64(at - sizeof offset, offset);
  return true;
}

void link_fail(uint32_t stream, int error, const char *step) {
  uint8_t payload[4 + 64];
  size_t length = strnlen(step, sizeof payload - 4);
  put_u32(payload, (uint32_t)error);
  memcpy(payload + 4, step, length);
  link_control(K_FAIL, stream, 0, payload, (uint32_t)(4 + length));
}

uint8_t *link_stage(void) {
  stage_touched = true;
  return stage;
}

static void copy_spans(uint8_t *to, const struct iovec *spans, int count) {
  for (int i = 0; i < count; i++) {
    memcpy(to, spans[i].iov_base, spans[i].iov_len);
    to += spans[i].iov_len;
  }
}

void link_data(const struct frame *frame, const struct iovec *spans, int count, const void *owner) {
  if (frame->length <= SMALL_FRAME_BYTES && output_has_room(FRAME_HEADER_BYTES + frame->length)) {
    frame_put(out_bytes + out.tail, frame);
    copy_spans(out_bytes + out.tail + FRAME_HEADER_BYTES, spans, count);
    out.tail += FRAME_HEADER_BYTES + frame->length;
    if (out.tail > out.touched) out.touched = out.tail;
    return;
  }
  frame_put(flight.header, frame);
  flight.parts[0] = (struct iovec){out_bytes + out.head, out.tail - out.head};
  flight.parts[1] = (struct iovec){flight.header, FRAME_HEADER_BYTES};
  for (int i = 0; i < count; i++) flight.parts[2 + i] = spans[i];
  out.head = out.tail;
  flight.at = 0;
  flight.count = 2 + count;
  flight.owner = owner;
  if (owner == NULL) link_unpin(NULL);
}

void link_unpin(const void *owner) {
  if (!in_flight() || flight.owner != owner) return;
  int first = flight.at < 2 ? 2 : flight.at;
  size_t length = 0;
  for (int i = first; i < flight.count; i++) length += flight.parts[i].iov_len;
  copy_spans(link_stage(), flight.parts + first, flight.count - first);
  flight.parts[first] = (struct iovec){stage, length};
  flight.count = first + 1;
  flight.owner = LINK_STAGE;
}

/* False: the socket takes no more now, or is broken (which its reading end will tell). */
static bool wrote(ssize_t n) {
  if (n >= 0 || errno == EINTR) return true;
  writable = false;
  agent_rewatch(link_fd, LINK_EVENTS | EPOLLOUT, WATCH_LINK, 0);
  return false;
}

static bool flush_flight(void) {
  while (in_flight()) {
    ssize_t n = writev(link_fd, flight.parts + flight.at, flight.count - flight.at);
    if (!wrote(n)) return false;
    for (size_t left = n < 0 ? 0 : (size_t)n; left > 0;) {
      struct iovec *part = flight.parts + flight.at;
      size_t step = left < part->iov_len ? left : part->iov_len;
      part->iov_base = (char *)part->iov_base + step;
      part->iov_len -= step;
      left -= step;
      if (part->iov_len == 0) flight.at++;
    }
  }
  flight.at = flight.count = 0;
  flight.owner = NULL;
  return true;
}

static bool flush(void) {
  if (!flush_flight()) return false;
  while (out.head < out.tail) {
    ssize_t n = send(link_fd, out_bytes + out.head, out.tail - out.head, MSG_NOSIGNAL);
    if (!wrote(n)) return false;
    if (n > 0) out.head += (size_t)n;
  }
  out.head = out.tail = 0;
  return true;
}

static bool sender_run(struct sender *sender) {
  switch (sender->kind) {
    case SENDER_PROCESS: return process_send(container_of(sender, struct process, sender));
    case SENDER_READER: return reader_send(sender);
    case SENDER_FILE: return file_send(container_of(sender, struct file_stream, sender));
    case SENDER_CONNECTION: return connection_send(container_of(sender, struct connection, sender));
  }
  return false;
}

bool link_output(void) {
  if (link_fd < 0 || !writable) return false;
  for (uint32_t turns = sender_count; turns > 0 && first_sender != NULL; turns--) {
    if (in_flight() || out.tail - out.head > FLUSH_AT_BYTES)
      if (!flush()) return false;
    struct sender *sender = first_sender;
    sender_forget(sender);
    if (sender_run(sender)) sender_wake(sender);
  }
  return flush() && first_sender != NULL;
}

void link_last_words(void) {
  while (link_fd >= 0 && !flush()) {
    struct pollfd p = {.fd = link_fd, .events = POLLOUT};
    if (poll(&p, 1, 1000) <= 0 || p.revents != POLLOUT) return;
  }
}

void sender_wake(struct sender *sender) {
  if (sender->next != NULL || sender == last_sender) return;
  sender->previous = last_sender;
  if (last_sender != NULL) last_sender->next = sender;
  else first_sender = sender;
  last_sender = sender;
  sender_count++;
}

void sender_forget(struct sender *sender) {
  if (sender->next == NULL && sender != last_sender) return;
  if (sender->previous != NULL) sender->previous->next = sender->next;
  else first_sender = sender->next;
  if (sender->next != NULL) sender->next->previous = sender->previous;
  else last_sender = sender->previous;
  sender->next = sender->previous = NULL;
  sender_count--;
}
