#include "agent.h"

#include <errno.h>
#include <unistd.h>

static void close_input(struct process *process) {
  if (process->in.fd >= 0) close(process->in.fd);
  process->in.fd = -1;
  ring_free(&process->in.ring);
}

static void acknowledge(struct process *process) {
  process->in.ack_due = process->attached;
  if (!process->attached) return;
  if (link_control(K_IN_ACK, process->stream, process->in.ring.start, NULL, 0)) process->in.ack_due = false;
  else sender_wake(&process->sender);
}

/* Nobody will read it any more: what was sent counts as taken. */
static void broke(struct process *process) {
  process->in.broken = true;
  process->in.ring.start = process->in.ring.end;
  close_input(process);
}

/* As much of the bytes as the pipe takes now. */
static size_t write_through(struct process *process, const uint8_t *bytes, size_t length) {
  size_t done = 0;
  while (done < length && process->in.writable) {
    ssize_t n = write(process->in.fd, bytes + done, length - done);
    if (n >= 0) {
      done += (size_t)n;
    } else if (errno == EAGAIN) {
      process->in.writable = false;
    } else if (errno != EINTR) {
      process->in.ring.end = process->in.ring.start += length;
      broke(process);
      return length;
    }
  }
  process->in.ring.start += done;
  process->in.ring.end += done;
  return done;
}

/* Below what was received: cut. Above, beyond the end or the window: refused. */
static bool accept_range(struct process *process, uint64_t offset, const uint8_t **bytes, size_t *length) {
  struct input *in = &process->in;
  uint64_t received = in->ring.end;
  if (!(process->flags & EXEC_STDIN_PIPE)) {
    link_fail(process->stream, EINVAL, "stdin");
    return false;
  }
  uint64_t known = offset < received ? received - offset : 0;
  if (known > *length) known = *length;
  *bytes += known;
  *length -= known;
  if (*length == 0) return offset <= received;
  if (offset > received || in->eof || *length > ring_room(&in->ring)) {
    link_fail(process->stream, ERANGE, "stdin");
    return false;
  }
  return true;
}

void process_stdin(struct process *process, uint64_t offset, const uint8_t *bytes, size_t length) {
  struct input *in = &process->in;
  if (!accept_range(process, offset, &bytes, &length)) return;
  if (in->broken) {
    in->ring.start = in->ring.end += length;
    acknowledge(process);
    return;
  }
  size_t done = ring_used(&in->ring) == 0 ? write_through(process, bytes, length) : 0;
  if (done < length) {
    if (ring_reserve(&in->ring)) ring_append(&in->ring, bytes + done, length - done);
    else link_fail(process->stream, ENOMEM, "stdin");
  }
  if (done > 0 || length == 0) acknowledge(process);
}

void process_stdin_flush(struct process *process) {
  struct input *in = &process->in;
  uint64_t before = in->ring.start;
  while (in->fd >= 0 && in->writable && ring_used(&in->ring) > 0) {
    if (ring_drain(&in->ring, in->fd) >= 0 || errno == EINTR) continue;
    if (errno == EAGAIN) in->writable = false;
    else broke(process);
  }
  if (in->ring.start != before) acknowledge(process);
  if (in->eof && ring_used(&in->ring) == 0) close_input(process);
}

void process_stdin_eof(struct process *process, uint64_t offset) {
  struct input *in = &process->in;
  if (!(process->flags & EXEC_STDIN_PIPE) || offset != in->ring.end) {
    link_fail(process->stream, process->flags & EXEC_STDIN_PIPE ? ERANGE : EINVAL, "stdin");
    return;
  }
  in->eof = true;
  process_stdin_flush(process);
}
