#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ATTACH_FIXED_BYTES (4 + 8 + 4 + 4 + 1)
/* The kernel may wake a writer before there is room: it is asked again, not trusted to repeat it. */
#define INPUT_RETRY_US 20000

int terminal_open(int *ours, int *theirs, const struct exec_request *request) {
  int unlocked = 0;
  struct winsize size = {.ws_row = (unsigned short)request->rows, .ws_col = (unsigned short)request->cols};
  struct termios modes;
  *ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (*ours < 0 || ioctl(*ours, TIOCSPTLCK, &unlocked) < 0 || ioctl(*ours, TIOCSWINSZ, &size) < 0)
    return errno;
  /* No path: whatever a guest has mounted or linked, this is the other end. */
  *theirs = ioctl(*ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*theirs < 0 || tcgetattr(*theirs, &modes) < 0) return errno;
  /* Erasing takes a whole character, as in every terminal of today. */
  modes.c_iflag |= IUTF8;
  return tcsetattr(*theirs, TCSANOW, &modes) < 0 ? errno : 0;
}

/* The reader that is furthest says how far: one that falls behind misses bytes, and holds nobody up.
 * Before the first one, nothing may be lost that it could want. Without any, nobody is waited for. */
size_t terminal_room(const struct process *process) {
  const struct ring *ring = &process->out[0].ring;
  uint64_t limit = process->was_read ? 0 : ring->capacity;
  bool held = !process->was_read;
  for (uint32_t i = 0; process->readers > 0 && i < readers_high(); i++) {
    const struct reader *reader = reader_at(i);
    if (reader == NULL || reader->process != process || !reader->holds) continue;
    held = true;
    if (reader->acked[0] + reader->window > limit) limit = reader->acked[0] + reader->window;
  }
  if (!held) return ring->capacity;
  return limit > ring->end ? (size_t)(limit - ring->end) : 0;
}

static struct winsize size_of(const struct process *process) {
  struct winsize size = {0};
  int fd = process->out[0].fd;
  if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0) return (struct winsize){0};
  return size;
}

void terminal_size(const struct process *process, uint8_t out[16]) {
  struct winsize size = size_of(process);
  put_u64(out, size.ws_col);
  put_u64(out + 8, size.ws_row);
}

static int attach_error(const struct process *process, const struct reader *wanted) {
  if (process == NULL) return ESRCH;
  const struct ring *ring = &process->out[0].ring;
  if (!process_is_terminal(process)) return ENOTTY;
  if (wanted->window > ring->capacity || (wanted->window > 0 && wanted->window < WINDOW_MIN_BYTES)) return EINVAL;
  if (wanted->in.ring.capacity > WINDOW_MAX_BYTES) return EINVAL;
  return wanted->sent[0] > ring->end ? ERANGE : 0;
}

static void send_attached(const struct reader *reader) {
  struct winsize size = size_of(reader->process);
  uint8_t payload[20];
  put_u64(payload, reader->sent[0]);
  put_u64(payload + 8, reader->process->out[0].ring.end);
  put_u16(payload + 16, size.ws_col);
  put_u16(payload + 18, size.ws_row);
  link_control(K_ATTACHED, reader->stream, 0, payload, sizeof payload);
}

bool terminal_attach(uint32_t stream, const uint8_t *payload, size_t length) {
  if (length <= ATTACH_FIXED_BYTES || length > ATTACH_FIXED_BYTES + ID_MAX_BYTES) return false;
  struct process *process = process_find(get_u32(payload));
  struct reader wanted = {.stream = stream, .process = process, .is_attachment = true,
                          .sender = {.kind = SENDER_READER}, .ended = {false, true}};
  wanted.sent[0] = get_u64(payload + 4);
  wanted.window = get_u32(payload + 12);
  wanted.in.ring.capacity = get_u32(payload + 16);
  wanted.holds = wanted.window > 0 && (payload[20] & ATTACH_HOLDS);
  memcpy(wanted.id, payload + ATTACH_FIXED_BYTES, length - ATTACH_FIXED_BYTES);
  if (payload[20] > ATTACH_HOLDS || strlen(wanted.id) != length - ATTACH_FIXED_BYTES) return false;
  int error = attach_error(process, &wanted);
  struct reader *reader = error == 0 ? reader_take() : NULL;
  if (reader == NULL) {
    link_fail(stream, error ? error : EAGAIN, "attach");
    return true;
  }
  *reader = wanted;
  if (reader->window == 0) reader->ended[0] = true;
  else if (reader->sent[0] < process->out[0].ring.start) reader->sent[0] = process->out[0].ring.start;
  reader->acked[0] = reader->sent[0];
  process->readers++;
  process->was_read |= reader->window > 0;
  send_attached(reader);
  process_busy(process);
  sender_wake(&reader->sender);
  return true;
}

bool terminal_resize(struct process *process, const uint8_t *payload, size_t length) {
  if (length != 4) return false;
  struct winsize size = {.ws_col = get_u16(payload), .ws_row = get_u16(payload + 2)};
  int error = 0;
  if (!process_is_terminal(process)) error = ENOTTY;
  else if (size.ws_col == 0 || size.ws_row == 0) error = EINVAL;
  /* At its end there is nothing to tell anyone. */
  else if (process->out[0].fd >= 0 && ioctl(process->out[0].fd, TIOCSWINSZ, &size) < 0) error = errno;
  if (error != 0) link_fail(process->stream, error, "resize");
  return true;
}

void terminal_send_ack(struct reader *reader) {
  if (link_control(K_IN_ACK, reader->stream, reader->in.ring.start, NULL, 0)) reader->in.ack_due = false;
}

static void acknowledge(struct reader *reader) {
  if (reader->resting) return;
  reader->in.ack_due = true;
  terminal_send_ack(reader);
  if (reader->in.ack_due) sender_wake(&reader->sender);
}

static void drain(struct process *process, struct reader *reader) {
  struct ring *ring = &reader->in.ring;
  uint64_t before = ring->start;
  int fd = process->out[0].fd;
  while (ring_used(ring) > 0 && (fd < 0 || process->in.writable)) {
    /* Nobody will read it any more: it counts as taken. */
    if (fd < 0) ring_forget(ring, ring->end);
    else if (ring_drain(ring, fd) >= 0 || errno == EINTR) continue;
    else if (errno == EAGAIN) process->in.writable = false;
    else ring_forget(ring, ring->end);
  }
  if (ring->start != before) acknowledge(reader);
}

void terminal_flush(struct process *process) {
  for (uint32_t i = 0; process->readers > 0 && i < readers_high(); i++) {
    struct reader *reader = reader_at(i);
    if (reader == NULL || reader->process != process || ring_used(&reader->in.ring) == 0) continue;
    drain(process, reader);
    if (ring_used(&reader->in.ring) > 0) agent_deadline(agent_now() + INPUT_RETRY_US);
  }
}

void terminal_timers(struct process *process, int64_t now) {
  (void)now;
  if (process->in.writable || process->readers == 0) return;
  process->in.writable = true;
  terminal_flush(process);
}

/* As for stdin: below what was received it is cut, above it or beyond the window refused. */
void terminal_input(struct reader *reader, uint64_t offset, const uint8_t *bytes, size_t length) {
  struct ring *ring = &reader->in.ring;
  uint64_t known = offset < ring->end ? ring->end - offset : 0;
  if (known > length) known = length;
  bytes += known;
  length -= known;
  if (length == 0 && offset <= ring->end) return;
  if (ring->capacity == 0 || offset > ring->end || length > ring_room(ring)) {
    link_fail(reader->stream, ring->capacity == 0 ? EINVAL : ERANGE, "stdin");
    return;
  }
  if (!ring_reserve(ring)) {
    link_fail(reader->stream, ENOMEM, "stdin");
    return;
  }
  ring_append(ring, bytes, length);
  terminal_flush(reader->process);
}

bool terminal_resume(struct reader *reader, const uint8_t *payload, size_t length) {
  if (length != 16) return false;
  uint64_t wanted = get_u64(payload);
  if (wanted > reader->process->out[0].ring.end) {
    link_fail(reader->stream, ERANGE, "resume");
    return true;
  }
  if (reader->window > 0) {
    reader->sent[0] = reader->acked[0] = wanted;
    reader->ended[0] = false;
  }
  link_control(K_RESUMED, reader->stream, 0, NULL, 0);
  reader->resting = false;
  if (reader->in.ring.capacity > 0) acknowledge(reader);
  process_busy(reader->process);
  sender_wake(&reader->sender);
  return true;
}

void terminals_table(void) {
  for (uint32_t i = 0; i < readers_high(); i++) {
    const struct reader *reader = reader_at(i);
    if (reader == NULL || !reader->is_attachment) continue;
    uint8_t entry[46 + ID_MAX_BYTES] = {0};
    size_t length = strlen(reader->id);
    entry[1] = EXEC_ATTACHMENT | (reader->in.ring.capacity > 0 ? EXEC_STDIN_PIPE : 0);
    put_u32(entry + 2, reader->process->stream);
    put_u64(entry + 6, reader->acked[0]);
    put_u64(entry + 14, reader->process->out[0].ring.end);
    put_u64(entry + 38, reader->in.ring.end);
    memcpy(entry + 46, reader->id, length);
    link_control(K_TABLE_ENTRY, reader->stream, 0, entry, (uint32_t)(46 + length));
  }
}
