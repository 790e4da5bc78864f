#include "agent.h"

#include <errno.h>

static struct reader readers[READERS_MAX];
static uint32_t high;

struct reader *reader_find(uint32_t stream) {
  for (uint32_t i = 0; stream != 0 && i < high; i++)
    if (readers[i].stream == stream) return &readers[i];
  return NULL;
}

struct reader *reader_at(uint32_t index) { return readers[index].stream != 0 ? &readers[index] : NULL; }

uint32_t readers_high(void) { return high; }

struct reader *reader_take(void) {
  uint32_t index = 0;
  while (index < high && readers[index].stream != 0) index++;
  if (index == READERS_MAX) return NULL;
  if (index == high) high++;
  return &readers[index];
}

static void close_reader(struct reader *reader) {
  sender_forget(&reader->sender);
  ring_free(&reader->in.ring);
  reader->process->readers--;
  /* It may have been the one that its terminal waited for. */
  if (reader->holds) process_busy(reader->process);
  reader->stream = 0;
  while (high > 0 && readers[high - 1].stream == 0) high--;
}

static int check(const struct process *process, const uint64_t from[2], uint32_t window) {
  if (process == NULL) return ESRCH;
  if (!process_is_logged(process) || window < WINDOW_MIN_BYTES || window > WINDOW_MAX_BYTES) return EINVAL;
  if (from[0] > process->out[0].ring.end || from[1] > process->out[1].ring.end) return ERANGE;
  return 0;
}

bool reader_open(uint32_t stream, const uint8_t *payload, size_t length) {
  if (length != 24) return false;
  struct process *process = process_find(get_u32(payload));
  uint64_t from[2] = {get_u64(payload + 4), get_u64(payload + 12)};
  uint32_t window = get_u32(payload + 20);
  int error = check(process, from, window);
  struct reader *reader = error == 0 ? reader_take() : NULL;
  if (reader == NULL) {
    link_fail(stream, error ? error : EAGAIN, "reader");
    return true;
  }
  *reader = (struct reader){.stream = stream, .window = window, .process = process,
                            .sender = {.kind = SENDER_READER}};
  for (int i = 0; i < 2; i++) reader->sent[i] = reader->acked[i] = from[i];
  process->readers++;
  sender_wake(&reader->sender);
  return true;
}

/* Where everything was sent and received the stream ends by itself. */
static void close_if_done(struct reader *reader) {
  if (reader->is_attachment) return;
  for (int i = 0; i < 2; i++)
    if (!reader->ended[i] || reader->acked[i] < reader->process->out[i].ring.end) return;
  close_reader(reader);
}

void reader_ack(uint32_t stream, uint8_t channel, uint64_t offset) {
  struct reader *reader = reader_find(stream);
  if (reader == NULL) return;
  int i = channel - 1;
  if (offset > reader->sent[i]) {
    link_fail(stream, ERANGE, "ack");
    return;
  }
  if (offset > reader->acked[i]) reader->acked[i] = offset;
  if (reader->holds) process_busy(reader->process);
  sender_wake(&reader->sender);
  close_if_done(reader);
}

void reader_release(uint32_t stream) {
  struct reader *reader = reader_find(stream);
  if (reader != NULL) close_reader(reader);
}

void readers_wake(const struct process *process) {
  for (uint32_t i = 0; i < high; i++)
    if (readers[i].stream != 0 && readers[i].process == process && !readers[i].resting)
      sender_wake(&readers[i].sender);
}

void readers_end(const struct process *process) {
  for (uint32_t i = high; i-- > 0 && process->readers > 0;) {
    struct reader *reader = &readers[i];
    if (reader->stream == 0 || reader->process != process) continue;
    link_fail(reader->stream, ESRCH, "released");
    close_reader(reader);
  }
}

/* Attachments wait for the next link, and what they hold waits with them. */
void readers_detach(void) {
  for (uint32_t i = high; i-- > 0;) {
    struct reader *reader = &readers[i];
    if (reader->stream == 0) continue;
    if (!reader->is_attachment) {
      close_reader(reader);
      continue;
    }
    reader->resting = true;
    reader->in.ack_due = false;
    sender_forget(&reader->sender);
  }
}

/* One data frame of the channel; false if there is none, or no credit. */
static bool send_output(struct reader *reader, int i) {
  const struct ring *ring = &reader->process->out[i].ring;
  uint64_t credit = reader->window - (reader->sent[i] - reader->acked[i]);
  if (credit == 0 || reader->sent[i] == ring->end) return false;
  if (reader->sent[i] < ring->start) {
    /* The gap is neither sent nor owed. */
    reader->acked[i] += ring->start - reader->sent[i];
    reader->sent[i] = ring->start;
  }
  uint64_t ready = ring->end - reader->sent[i];
  if (ready > credit) ready = credit;
  if (ready > DATA_FRAME_BYTES) ready = DATA_FRAME_BYTES;
  struct iovec spans[2];
  int count = ring_spans(ring, reader->sent[i], (size_t)ready, spans);
  struct frame frame = {(uint32_t)ready, i == 0 ? K_OUT : K_ERR, reader->stream, reader->sent[i]};
  reader->sent[i] += ready;
  /* The ring goes on turning: what is in flight must be a copy. */
  link_data(&frame, spans, count, NULL);
  return true;
}

static void send_ends(struct reader *reader) {
  for (int i = 0; i < 2; i++) {
    const struct output *out = &reader->process->out[i];
    if (out->fd >= 0 || reader->ended[i] || reader->sent[i] != out->ring.end) continue;
    uint8_t channel = (uint8_t)(CHANNEL_STDOUT + i);
    reader->ended[i] = link_control(K_END, reader->stream, out->ring.end, &channel, 1);
  }
}

/* One turn. After a data frame another turn finds out whether there is more. */
bool reader_send(struct sender *sender) {
  struct reader *reader = container_of(sender, struct reader, sender);
  if (reader->in.ack_due) terminal_send_ack(reader);
  int first = reader->turn;
  if (send_output(reader, first)) {
    reader->turn = (uint8_t)(1 - first);
    return true;
  }
  if (send_output(reader, 1 - first)) return true;
  send_ends(reader);
  close_if_done(reader);
  return reader->in.ack_due;
}
