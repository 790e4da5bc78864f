/* The bytes of a connection, both ways. */
#include "agent.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- what the program writes ---- */

void connection_ack(struct connection *connection, uint64_t offset) {
  if (offset > connection->sent) {
    link_fail(connection->stream, ERANGE, "ack");
    return;
  }
  if (offset > connection->acked) connection->acked = offset;
  sender_wake(&connection->sender);
}

static bool send_end(struct connection *connection) {
  if (connection->in.broken) {
    connection_fail(connection, connection->broken_by, "write");
    return false;
  }
  uint8_t channel = CHANNEL_STDOUT;
  connection->ended = link_control(K_END, connection->stream, connection->sent, &channel, 1);
  return !connection->ended;
}

/* Nothing is kept of what the program wrote: it stays in its socket until there is credit for it. */
static bool send_bytes(struct connection *connection) {
  uint64_t most = connection->window - (connection->sent - connection->acked);
  if (most == 0 || connection->ended || !connection->readable) return false;
  if (most > DATA_FRAME_BYTES) most = DATA_FRAME_BYTES;
  uint8_t *bytes = link_stage();
  ssize_t n = recv(connection->fd, bytes, (size_t)most, 0);
  if (n == 0) return send_end(connection);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    connection->readable = false;
    return false;
  }
  if (n < 0) {
    connection_fail(connection, errno, "read");
    return false;
  }
  struct iovec span = {bytes, (size_t)n};
  struct frame frame = {(uint32_t)n, K_OUT, connection->stream, connection->sent};
  connection->sent += (uint64_t)n;
  link_data(&frame, &span, 1, LINK_STAGE);
  return true;
}

bool connection_send(struct connection *connection) {
  if (connection->settled) connection_settled(connection);
  if (connection->state != CONNECTION_OPEN) return false;
  if (connection->answer_due) {
    connection->answer_due = !link_control(K_CONNECTED, connection->stream, 0, NULL, 0);
    if (connection->answer_due) return true;
  }
  struct input *in = &connection->in;
  if (in->ack_due && link_control(K_IN_ACK, connection->stream, in->ring.start, NULL, 0)) in->ack_due = false;
  bool more = send_bytes(connection);
  return more || (connection->state == CONNECTION_OPEN && in->ack_due);
}

/* ---- what the program reads ---- */

static void acknowledge(struct connection *connection) {
  connection->in.ack_due = true;
  sender_wake(&connection->sender);
}

/* It reads no more. What it wrote before may still be there, so the end is told behind that. */
static void broke(struct connection *connection, int error) {
  struct input *in = &connection->in;
  connection->broken_by = error;
  in->broken = true;
  in->ring.start = in->ring.end;
  ring_free(&in->ring);
  connection->readable = true;
  acknowledge(connection);
}

static size_t write_through(struct connection *connection, const uint8_t *bytes, size_t length) {
  struct input *in = &connection->in;
  size_t done = 0;
  while (done < length && in->writable) {
    ssize_t n = send(connection->fd, bytes + done, length - done, MSG_NOSIGNAL);
    if (n >= 0) done += (size_t)n;
    else if (errno == EAGAIN) in->writable = false;
    else if (errno != EINTR) {
      in->ring.start = in->ring.end += length;
      broke(connection, errno);
      return length;
    }
  }
  in->ring.start = in->ring.end += done;
  return done;
}

void connection_input(struct connection *connection, uint64_t offset, const uint8_t *bytes, size_t length) {
  struct input *in = &connection->in;
  uint64_t received = in->ring.end, known = offset < received ? received - offset : 0;
  if (known > length) known = length;
  bytes += known;
  length -= known;
  if (offset > received || (length > 0 && in->eof) || length > ring_room(&in->ring)) {
    connection_fail(connection, ERANGE, "stdin");
    return;
  }
  if (in->broken) {
    in->ring.start = in->ring.end += length;
    acknowledge(connection);
    return;
  }
  size_t done = ring_used(&in->ring) == 0 ? write_through(connection, bytes, length) : 0;
  if (done < length) {
    if (!ring_reserve(&in->ring)) {
      connection_fail(connection, ENOMEM, "stdin");
      return;
    }
    ring_append(&in->ring, bytes + done, length - done);
  }
  if (done > 0 || length == 0) acknowledge(connection);
}

void connection_flush(struct connection *connection) {
  struct input *in = &connection->in;
  uint64_t before = in->ring.start;
  while (in->writable && ring_used(&in->ring) > 0) {
    if (ring_drain(&in->ring, connection->fd) >= 0 || errno == EINTR) continue;
    if (errno == EAGAIN) in->writable = false;
    else broke(connection, errno);
  }
  if (in->ring.start != before) acknowledge(connection);
  if (ring_used(&in->ring) > 0) return;
  ring_free(&in->ring);
  if (!in->eof || connection->shut) return;
  shutdown(connection->fd, SHUT_WR);
  connection->shut = true;
}

void connection_input_eof(struct connection *connection, uint64_t offset) {
  if (offset != connection->in.ring.end) {
    connection_fail(connection, ERANGE, "stdin");
    return;
  }
  connection->in.eof = true;
  connection_flush(connection);
}
