#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TURN_BYTES (256u * 1024u)
#define READ_BYTES (256u * 1024u)
/* A process that closes its output is mostly about to exit: EXIT then says what END would. */
#define END_HOLD_US 2000
#define NO_MEMORY_PAUSE_US 100000

static uint32_t busy_count;

void process_busy(struct process *process) {
  if (process->busy) return;
  process->busy = true;
  busy_count++;
}

static ssize_t drop(int fd) {
  static char nowhere[64 * 1024];
  return read(fd, nowhere, sizeof nowhere);
}

static bool wants_bytes(const struct process *process, const struct output *out) {
  if (out->fd < 0 || !out->readable) return false;
  if (process->released) return true;
  if (process_is_terminal(process)) return terminal_room(process) > 0;
  return process_is_logged(process) || ring_room(&out->ring) > 0;
}

static void tell_readers(struct process *process) {
  if (process->readers > 0) readers_wake(process);
  if (process->attached) sender_wake(&process->sender);
}

/* Edge-triggered: reads until EAGAIN, the end, a full ring, or the budget, after which the process is
 * busy and read on in the next turn. */
void process_pump(struct process *process, unsigned channel, size_t budget) {
  struct output *out = &process->out[channel];
  bool any = false;
  while (wants_bytes(process, out)) {
    if (budget == 0) {
      process_busy(process);
      break;
    }
    if (!process->released && !ring_reserve(&out->ring)) {
      agent_deadline(agent_now() + NO_MEMORY_PAUSE_US);
      process_busy(process);
      break;
    }
    size_t most = budget < READ_BYTES ? budget : READ_BYTES;
    if (process_is_terminal(process) && most > terminal_room(process)) most = terminal_room(process);
    ssize_t n = process->released ? drop(out->fd)
                                  : ring_fill(&out->ring, out->fd, most, process_is_logged(process));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      out->readable = false;
      break;
    }
    any = true;
    if (n <= 0) {
      close(out->fd);
      out->fd = -1;
      break;
    }
    budget -= (size_t)n < budget ? (size_t)n : budget;
  }
  if (!any) return;
  tell_readers(process);
  if (out->fd < 0) process_free_if_done(process);
}

bool processes_pump(void) {
  bool more = false;
  for (uint32_t i = 0; busy_count > 0 && i < processes_high(); i++) {
    struct process *process = process_at(i);
    if (process == NULL || !process->busy) continue;
    process->busy = false;
    busy_count--;
    process_pump(process, 0, TURN_BYTES);
    process_pump(process, 1, TURN_BYTES);
  }
  for (uint32_t i = 0; busy_count > 0 && i < processes_high(); i++) {
    struct process *process = process_at(i);
    if (process == NULL || !process->busy) continue;
    /* Without memory for a ring there is nothing to do until the pause is over. */
    for (int channel = 0; channel < 2; channel++)
      more |= wants_bytes(process, &process->out[channel]) &&
              (process->released || process->out[channel].ring.bytes != NULL);
  }
  return more;
}

void process_ack(struct process *process, uint8_t channel, uint64_t offset) {
  struct output *out = &process->out[channel - 1];
  if (process_is_logged(process)) return;
  if (offset > out->sent) {
    link_fail(process->stream, ERANGE, "ack");
    return;
  }
  ring_forget(&out->ring, offset);
  if (out->fd >= 0 && out->readable) process_busy(process);
}

/* One data frame of the channel; false if there is none. */
static bool send_output(struct process *process, unsigned channel) {
  struct output *out = &process->out[channel];
  uint64_t ready = out->ring.end - out->sent;
  if (process_is_logged(process) || ready == 0) return false;
  size_t length = ready < DATA_FRAME_BYTES ? (size_t)ready : DATA_FRAME_BYTES;
  struct iovec spans[2];
  int count = ring_spans(&out->ring, out->sent, length, spans);
  struct frame frame = {(uint32_t)length, channel == 0 ? K_OUT : K_ERR, process->stream, out->sent};
  out->sent += length;
  link_data(&frame, spans, count, process);
  return true;
}

/* What the channel's total is, and whether another process still holds it. The order matters: with
 * the writers gone (HUP) what the pipe holds is the rest; a full ring can't be read to its end. */
static uint64_t total_of(const struct output *out, bool *open) {
  *open = false;
  if (out->fd < 0) return out->ring.end;
  struct pollfd p = {.fd = out->fd};
  *open = poll(&p, 1, 0) < 0 || !(p.revents & POLLHUP);
  int waiting = 0;
  if (ioctl(out->fd, FIONREAD, &waiting) < 0 || waiting < 0) waiting = 0;
  return out->ring.end + (uint64_t)waiting;
}

static bool send_exit(struct process *process) {
  uint8_t payload[31] = {process->cause};
  bool open[2];
  uint64_t totals[2];
  for (int i = 0; i < 2; i++) totals[i] = total_of(&process->out[i], &open[i]);
  /* FIONREAD does not count all that a terminal's kernel side holds: its end is told by END. */
  if (process_is_terminal(process)) {
    totals[0] = process->out[0].ring.end;
    open[0] = process->out[0].fd >= 0;
  }
  put_u32(payload + 1, process->status);
  payload[5] = process->reason;
  payload[6] = (uint8_t)(open[0] | open[1] << 1);
  put_u64(payload + 7, totals[0]);
  put_u64(payload + 15, totals[1]);
  put_u64(payload + 23, (uint64_t)process->duration_us);
  if (!link_control(K_EXIT, process->stream, 0, payload, sizeof payload)) return false;
  process->exit_sent = true;
  for (int i = 0; i < 2; i++) process->out[i].ended |= !open[i];
  return true;
}

static bool may_end(struct process *process) {
  if (process->reaped) return process->exit_sent;
  if (process->hold_until_us == 0) {
    process->hold_until_us = agent_now() + END_HOLD_US;
    agent_deadline(process->hold_until_us);
  }
  return agent_now() >= process->hold_until_us;
}

static void send_ends(struct process *process) {
  for (int i = 0; i < 2; i++) {
    struct output *out = &process->out[i];
    if (out->fd >= 0 || out->ended || out->sent != out->ring.end) continue;
    if (!may_end(process)) return;
    uint8_t channel = (uint8_t)(CHANNEL_STDOUT + i);
    out->ended = link_control(K_END, process->stream, out->ring.end, &channel, 1);
  }
}

static bool exit_is_due(const struct process *process) {
  if (!process->reaped || process->exit_sent) return false;
  return process_is_logged(process) || (process->out[0].sent >= process->out[0].exit_after &&
                                        process->out[1].sent >= process->out[1].exit_after);
}

static void send_in_ack(struct process *process) {
  if (process->in.ack_due && link_control(K_IN_ACK, process->stream, process->in.ring.start, NULL, 0))
    process->in.ack_due = false;
}

/* One turn: at most one data frame; true if there is more. */
bool process_send(struct process *process) {
  if (!process->attached) return false;
  send_in_ack(process);
  unsigned first = process->turn;
  if (send_output(process, first)) process->turn = (uint8_t)(1 - first);
  else send_output(process, 1 - first);
  if (exit_is_due(process) && !send_exit(process)) return true;
  if (process_is_logged(process)) return process->in.ack_due;
  for (int i = 0; i < 2; i++)
    if (process->out[i].sent < process->out[i].ring.end) return true;
  send_ends(process);
  return process->in.ack_due;
}
