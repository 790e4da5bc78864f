#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOMBSTONES 1024
#define LOGGED_KEPT 64

static struct process processes[PROCESSES_MAX];
/* Searched instead of the table, whose entries are far apart. */
static uint32_t streams[PROCESSES_MAX];
static pid_t pids[PROCESSES_MAX];
static bool used[PROCESSES_MAX];
static uint32_t high;

static char tombstones[TOMBSTONES][ID_MAX_BYTES + 1];
/* Looked at first: every EXEC is compared with all of them. */
static uint32_t tombstone_hashes[TOMBSTONES];
static uint32_t next_tombstone;
static uint64_t exits;

uint32_t processes_high(void) { return high; }

uint32_t process_index(const struct process *process) { return (uint32_t)(process - processes); }

struct process *process_at(uint32_t index) {
  return index < high && used[index] ? &processes[index] : NULL;
}

struct process *process_find(uint32_t stream) {
  if (stream == 0) return NULL;
  for (uint32_t i = 0; i < high; i++)
    if (streams[i] == stream) return &processes[i];
  return NULL;
}

bool process_is_logged(const struct process *process) {
  return process->flags & (EXEC_LOGGED | EXEC_TERMINAL);
}

bool process_is_terminal(const struct process *process) { return process->flags & EXEC_TERMINAL; }

static uint32_t hash_of(const char *id) {
  uint32_t hash = 2166136261u;
  for (; *id != 0; id++) hash = (hash ^ (uint8_t)*id) * 16777619u;
  return hash;
}

static bool id_is_known(const char *id) {
  for (uint32_t i = 0; i < high; i++)
    if (used[i] && strcmp(processes[i].id, id) == 0) return true;
  uint32_t hash = hash_of(id);
  for (uint32_t i = 0; i < TOMBSTONES; i++)
    if (tombstone_hashes[i] == hash && strcmp(tombstones[i], id) == 0) return true;
  return false;
}

static struct process *take_slot(void) {
  uint32_t index = 0;
  while (index < high && used[index]) index++;
  if (index == PROCESSES_MAX) return NULL;
  if (index == high) high++;
  used[index] = true;
  return &processes[index];
}

static void free_slot(struct process *process) {
  uint32_t index = process_index(process);
  used[index] = false;
  streams[index] = 0;
  pids[index] = 0;
  while (high > 0 && !used[high - 1]) high--;
}

static void started(struct process *process, uint32_t stream, const struct exec_request *request) {
  uint32_t index = process_index(process);
  process->stream = streams[index] = stream;
  pids[index] = process->pid;
  process->attached = true;
  if (request->timeout_ms > 0) {
    process->kill_at_us = process->started_us + (int64_t)request->timeout_ms * 1000;
    agent_deadline(process->kill_at_us);
  }
  uint8_t pid[4];
  put_u32(pid, (uint32_t)process->pid);
  link_control(K_STARTED, stream, 0, pid, sizeof pid);
}

bool process_exec(uint32_t stream, uint8_t *payload, size_t length) {
  struct exec_request request;
  const char *step = "field";
  int error = exec_request_parse(payload, length, &request, &step);
  if (error < 0) return false;
  struct process *process = NULL;
  if (error == 0 && id_is_known(request.id)) {
    error = EEXIST;
    step = "id";
  } else if (error == 0 && (process = take_slot()) == NULL) {
    error = EAGAIN;
    step = "table";
  }
  if (process != NULL) {
    *process = (struct process){.flags = request.flags, .window = request.window, .started_us = agent_now(),
                                .in = {.fd = -1}, .sender = {.kind = SENDER_PROCESS}};
    memcpy(process->id, request.id, sizeof process->id);
    process->out[0].ring.capacity = process->out[1].ring.capacity = request.window;
    process->in.ring.capacity = request.stdin_window;
    error = process_start(process, &request, &step);
    if (error == 0) started(process, stream, &request);
    else free_slot(process);
  }
  if (error != 0) link_fail(stream, error, step);
  return true;
}

void process_free_if_done(struct process *process) {
  if (!process->released || !process->reaped) return;
  if (process->in.fd >= 0) close(process->in.fd);
  process->in.fd = -1;
  ring_free(&process->in.ring);
  if (process->out[0].fd < 0 && process->out[1].fd < 0) free_slot(process);
}

void process_release(struct process *process) {
  memcpy(tombstones[next_tombstone], process->id, sizeof process->id);
  tombstone_hashes[next_tombstone] = hash_of(process->id);
  next_tombstone = (next_tombstone + 1) % TOMBSTONES;
  sender_forget(&process->sender);
  readers_end(process);
  link_unpin(process);
  /* What PID 1 does itself it does for its reader. */
  if ((process->flags & EXEC_BUILTIN) && !process->reaped) kill(process->pid, SIGKILL);
  process->released = true;
  process->attached = false;
  process->stream = streams[process_index(process)] = 0;
  ring_free(&process->out[0].ring);
  ring_free(&process->out[1].ring);
  if (process_is_terminal(process) && process->out[0].fd >= 0) {
    /* The kernel hangs up: SIGHUP to its session, and nothing to read or write any more. */
    close(process->out[0].fd);
    process->out[0].fd = -1;
  }
  /* What was accepted for stdin is still delivered. */
  process->in.eof = true;
  process_stdin_flush(process);
  process_busy(process);
  process_free_if_done(process);
}

/* Of the exited logged processes the newest are kept; one that nobody reads goes first. */
static void forget_oldest_logged(void) {
  struct process *oldest = NULL;
  uint32_t count = 0;
  for (uint32_t i = 0; i < high; i++) {
    struct process *process = &processes[i];
    if (!used[i] || process->released || !process->reaped || !process_is_logged(process)) continue;
    count++;
    bool better = oldest == NULL || (process->readers == 0) > (oldest->readers == 0) ||
                  ((process->readers == 0) == (oldest->readers == 0) && process->exit_order < oldest->exit_order);
    if (better) oldest = process;
  }
  if (count > LOGGED_KEPT) process_release(oldest);
}

bool process_reap(pid_t pid, int status) {
  uint32_t index = 0;
  while (index < high && pids[index] != pid) index++;
  if (index == high) return false;
  struct process *process = &processes[index];
  pids[index] = 0;
  process->reaped = true;
  process->cause = WIFSIGNALED(status) ? CAUSE_SIGNALED : CAUSE_EXITED;
  process->status = (uint32_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  process->duration_us = agent_now() - process->started_us;
  process->kill_at_us = process->hold_until_us = 0;
  /* It may have ended on its own in the moment before the kill. */
  if (process->cause != CAUSE_SIGNALED || process->status != SIGKILL) process->reason = REASON_OWN;
  process->exit_order = exits++;
  for (unsigned channel = 0; channel < 2; channel++) {
    /* The edge of its last bytes may still be on the way. */
    process->out[channel].readable = true;
    process_pump(process, channel, 2 * WINDOW_MAX_BYTES);
    process->out[channel].exit_after = process->out[channel].ring.end;
  }
  if (process->attached) sender_wake(&process->sender);
  process_free_if_done(process);
  if (process_is_logged(process) && !process->released) forget_oldest_logged();
  return true;
}

bool process_resume(struct process *process, const uint8_t *payload, size_t length) {
  if (length != 16) return false;
  uint64_t wanted[2] = {get_u64(payload), get_u64(payload + 8)};
  for (int i = 0; i < 2; i++) {
    struct ring *ring = &process->out[i].ring;
    if ((!process_is_logged(process) && wanted[i] < ring->start) || wanted[i] > ring->end) {
      link_fail(process->stream, ERANGE, "resume");
      return true;
    }
  }
  link_unpin(process);
  for (int i = 0; i < 2; i++) {
    struct output *out = &process->out[i];
    if (!process_is_logged(process)) ring_forget(&out->ring, wanted[i]);
    out->sent = wanted[i];
    out->ended = false;
  }
  link_control(K_RESUMED, process->stream, 0, NULL, 0);
  process->attached = true;
  process->exit_sent = false;
  process->in.ack_due = (process->flags & EXEC_STDIN_PIPE) != 0;
  process_busy(process);
  sender_wake(&process->sender);
  return true;
}

void processes_table(void) {
  for (uint32_t i = 0; i < high; i++) {
    struct process *process = &processes[i];
    if (!used[i] || process->released) continue;
    uint8_t entry[46 + ID_MAX_BYTES];
    size_t length = strlen(process->id);
    entry[0] = process->reaped;
    entry[1] = (uint8_t)process->flags;
    put_u32(entry + 2, (uint32_t)process->pid);
    put_u64(entry + 6, process->out[0].ring.start);
    put_u64(entry + 14, process->out[0].ring.end);
    put_u64(entry + 22, process->out[1].ring.start);
    put_u64(entry + 30, process->out[1].ring.end);
    if (process_is_terminal(process)) terminal_size(process, entry + 22);
    put_u64(entry + 38, process->in.ring.end);
    memcpy(entry + 46, process->id, length);
    link_control(K_TABLE_ENTRY, process->stream, 0, entry, (uint32_t)(46 + length));
  }
  terminals_table();
  uint8_t channel = 0;
  link_control(K_END, 0, 0, &channel, 1);
}

void processes_detach(void) {
  for (uint32_t i = 0; i < high; i++) {
    if (!used[i]) continue;
    processes[i].attached = processes[i].in.ack_due = false;
    processes[i].hold_until_us = 0;
    sender_forget(&processes[i].sender);
  }
}

void processes_timers(int64_t now) {
  for (uint32_t i = 0; i < high; i++) {
    struct process *process = &processes[i];
    if (!used[i]) continue;
    if (process->kill_at_us != 0 && now >= process->kill_at_us) {
      process->kill_at_us = 0;
      process->reason = REASON_TIMED_OUT;
      session_kill(process->pid, SIGKILL);
    }
    if (process_is_terminal(process)) terminal_timers(process, now);
    if (process->kill_at_us != 0) agent_deadline(process->kill_at_us);
    if (process->hold_until_us > now) agent_deadline(process->hold_until_us);
    else if (process->hold_until_us != 0 && process->attached) sender_wake(&process->sender);
  }
}
