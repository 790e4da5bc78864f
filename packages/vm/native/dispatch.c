#include "agent.h"

#include <errno.h>
#include <unistd.h>

bool dispatch_known(uint8_t kind) {
  switch (kind) {
    case K_CONFIG: case K_PREPARE: case K_KEEP: case K_EXEC: case K_DATA_IN: case K_EOF_IN: case K_ACK: case K_SIGNAL:
    case K_RELEASE: case K_TABLE: case K_PING: case K_PROCESSES: case K_SHUTDOWN: case K_RESUME:
    case K_READ_LOG: case K_FILE: case K_RESIZE: case K_ATTACH:
    case K_CONNECT: case K_LISTEN: case K_TAKE: case K_REFUSE:
      return true;
    default:
      return false;
  }
}

uint32_t dispatch_room(uint8_t kind) {
  if (kind == K_PROCESSES) return PROCESS_LIST_BYTES + REPLY_ROOM_BYTES;
  if (kind == K_TABLE) return TABLE_BYTES + REPLY_ROOM_BYTES;
  return REPLY_ROOM_BYTES;
}

/* Streams that are unknown are those that ended a moment ago, most of the time: what still comes for
 * them is dropped without a word. */
static void data_in(const struct frame *frame, const uint8_t *payload) {
  struct process *process = process_find(frame->stream);
  struct file_stream *file = process ? NULL : file_find(frame->stream);
  struct reader *reader = process || file ? NULL : reader_find(frame->stream);
  struct connection *connection = process || file || reader ? NULL : connection_find(frame->stream);
  if (process) process_stdin(process, frame->offset, payload, frame->length);
  else if (file) file_write(file, frame->offset, payload, frame->length);
  else if (reader) terminal_input(reader, frame->offset, payload, frame->length);
  else if (connection) connection_input(connection, frame->offset, payload, frame->length);
}

static bool eof_in(const struct frame *frame) {
  if (frame->length != 0) return false;
  struct process *process = process_find(frame->stream);
  struct file_stream *file = process ? NULL : file_find(frame->stream);
  struct connection *connection = process || file ? NULL : connection_find(frame->stream);
  if (process) process_stdin_eof(process, frame->offset);
  else if (file) file_write_eof(file, frame->offset);
  else if (connection) connection_input_eof(connection, frame->offset);
  return true;
}

static bool ack(const struct frame *frame, const uint8_t *payload) {
  if (frame->length != 1 || (payload[0] != CHANNEL_STDOUT && payload[0] != CHANNEL_STDERR)) return false;
  struct process *process = process_find(frame->stream);
  struct file_stream *file = process ? NULL : file_find(frame->stream);
  struct connection *connection = process || file ? NULL : connection_find(frame->stream);
  if (process) process_ack(process, payload[0], frame->offset);
  else if (file) file_ack(file, frame->offset);
  else if (connection) connection_ack(connection, frame->offset);
  else reader_ack(frame->stream, payload[0], frame->offset);
  return true;
}

static bool signal_in(const struct frame *frame, const uint8_t *payload) {
  if (frame->length != 5 || payload[4] > SCOPE_VM) return false;
  if (payload[4] == SCOPE_VM) {
    if (frame->stream == 0) vm_signal(payload);
    return frame->stream == 0;
  }
  struct process *process = process_find(frame->stream);
  struct file_stream *file = process ? NULL : file_find(frame->stream);
  if (process) return process_signal(process, payload, frame->length);
  if (file) file_signal(file);
  else link_fail(frame->stream, ESRCH, "stream");
  return true;
}

static bool release(const struct frame *frame) {
  if (frame->length != 0) return false;
  struct process *process = process_find(frame->stream);
  struct file_stream *file = process ? NULL : file_find(frame->stream);
  struct connection *connection = process || file ? NULL : connection_find(frame->stream);
  if (process) process_release(process);
  else if (file) file_close(file);
  else if (connection) connection_close(connection);
  else if (door_is(frame->stream)) door_release(frame->stream);
  else reader_release(frame->stream);
  return true;
}

static bool resume(const struct frame *frame, const uint8_t *payload) {
  if (frame->length != 16) return false;
  struct process *process = process_find(frame->stream);
  if (process) return process_resume(process, payload, frame->length);
  struct reader *reader = reader_find(frame->stream);
  if (reader != NULL && reader->is_attachment) return terminal_resume(reader, payload, frame->length);
  link_fail(frame->stream, ESRCH, "stream");
  return true;
}

static bool resize(const struct frame *frame, const uint8_t *payload) {
  struct process *process = process_find(frame->stream);
  if (process) return terminal_resize(process, payload, frame->length);
  link_fail(frame->stream, ESRCH, "resize");
  return frame->length == 4;
}

static bool is_free(uint32_t stream) {
  if (stream != 0 && !process_find(stream) && !file_find(stream) && !reader_find(stream) &&
      !connection_find(stream) && !door_is(stream))
    return true;
  link_fail(stream, stream == 0 ? EINVAL : EEXIST, "stream");
  return false;
}

static bool dispatch_opening(const struct frame *frame, uint8_t *payload) {
  if (!is_free(frame->stream)) return true;
  if (frame->kind == K_EXEC) return process_exec(frame->stream, payload, frame->length);
  if (frame->kind == K_FILE) return file_dispatch(frame->stream, payload, frame->length);
  if (frame->kind == K_ATTACH) return terminal_attach(frame->stream, payload, frame->length);
  if (frame->kind == K_CONNECT) return connection_open(frame->stream, payload, frame->length);
  if (frame->kind == K_LISTEN) return door_open(frame->stream, payload, frame->length);
  if (frame->kind == K_TAKE) return connection_take(frame->stream, payload, frame->length);
  return reader_open(frame->stream, payload, frame->length);
}

bool dispatch(const struct frame *frame, uint8_t *payload) {
  switch (frame->kind) {
    case K_PING: return frame->length == 0 && link_control(K_PONG, frame->stream, 0, NULL, 0);
    case K_SHUTDOWN:
      if (frame->length != 0) return false;
      _exit(0);
    case K_PREPARE: agent_prepare(frame->stream, payload, frame->length); return true;
    case K_KEEP:
      if (frame->length == 1) agent_keep(payload[0] != 0);
      return frame->length == 1;
    case K_CONFIG: agent_configure(frame->stream, payload, frame->length); return true;
    default: break;
  }
  if (!agent_configured()) {
    link_fail(frame->stream, EINVAL, "config");
    return true;
  }
  switch (frame->kind) {
    case K_EXEC: case K_FILE: case K_READ_LOG: case K_ATTACH: case K_CONNECT: case K_LISTEN: case K_TAKE:
      return dispatch_opening(frame, payload);
    case K_REFUSE: return door_refuse(payload, frame->length);
    case K_DATA_IN: data_in(frame, payload); return true;
    case K_EOF_IN: return eof_in(frame);
    case K_ACK: return ack(frame, payload);
    case K_SIGNAL: return signal_in(frame, payload);
    case K_RELEASE: return release(frame);
    case K_RESUME: return resume(frame, payload);
    case K_RESIZE: return resize(frame, payload);
    case K_TABLE:
      if (frame->length == 0) processes_table();
      return frame->length == 0;
    case K_PROCESSES:
      if (frame->length == 0) process_list(frame->stream);
      return frame->length == 0;
    default: return false;
  }
}
