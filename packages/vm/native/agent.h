/* Inside PID 1: what its parts know of one another. One thread, one epoll loop (agent.c). */
#ifndef AGENT_H
#define AGENT_H

#include "frame.h"
#include "link.h"
#include "ring.h"
#include "vmd.h"

#define PROCESSES_MAX 1024u
#define READERS_MAX 256u
#define FILES_MAX 256u
#define CONNECTIONS_MAX 1024u
#define WINDOW_MIN_BYTES (4u * 1024u)
#define WINDOW_MAX_BYTES (1024u * 1024u)
#define WINDOW_DEFAULT_BYTES (256u * 1024u)
#define DATA_FRAME_BYTES (256u * 1024u)
/* Room that must be free in the out-buffer before a frame of the peer is answered. */
#define REPLY_ROOM_BYTES (16u * 1024u)

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- agent.c: loop, time, epoll ---- */

enum watched {
  WATCH_LINK, WATCH_LISTEN, WATCH_HELLO, WATCH_SIGNAL, WATCH_OUT, WATCH_ERR, WATCH_IN, WATCH_TERMINAL,
  WATCH_CONNECTION, WATCH_DOOR
};

/* Monotonic microseconds, read once per turn of the loop. */
int64_t agent_now(void);
/* Asks for agent_timers at `at` or before. */
void agent_deadline(int64_t at);
/* 0 or an errno. `events` are epoll's. */
int agent_watch(int fd, uint32_t events, enum watched what, uint32_t index);
int agent_rewatch(int fd, uint32_t events, enum watched what, uint32_t index);
void agent_unwatch(int fd);
/* The link is gone: everything attached to it ends, and the grace time begins. */
void agent_detached(void);
void agent_attached(void);
/* Whether the VM is somebody's: what is nobody's goes with its link. */
void agent_keep(bool keep);
bool agent_configured(void);
void agent_configure(uint32_t stream, const uint8_t *config, size_t length);
void agent_prepare(uint32_t stream, const uint8_t *config, size_t length);

/* ---- adopt.c: the adoption socket ---- */

void adopt_begin(const struct create_spec *spec, int listen_fd);
void adopt_accept(void);
void adopt_read(uint32_t index);
void adopt_timers(int64_t now);

/* ---- link.c: the one connection with the sidecar ---- */

void link_attach(int fd);
void link_drop(void);
bool link_is_open(void);
void link_event(uint32_t events);
/* Handle what came and send what is due; true if there is more to do at once. */
bool link_input(void);
bool link_output(void);
void link_timers(int64_t now);
/* Sends the out-buffer while it can within a second: the last words before the VM ends. */
void link_last_words(void);

/* Appends a frame to the out-buffer; false if there is no room (without a link: dropped, true). */
/* READY: the version of the link, and the walls. */
void link_ready(void);
bool link_control(uint8_t kind, uint32_t stream, uint64_t offset, const void *payload, uint32_t length);
void link_fail(uint32_t stream, int error, const char *step);
/* For payloads built in place: room for `most` bytes or NULL; then commit what was used. */
uint8_t *link_reserve(uint32_t most);
void link_commit(uint8_t kind, uint32_t stream, uint32_t length);
/* Begins a data frame; only from a sender. The bytes stay where they are until sent if `owner` is
 * given (link_unpin tells when they can't), else they are copied first. */
void link_data(const struct frame *frame, const struct iovec *spans, int count, const void *owner);
/* `owner` is about to lose its bytes. */
void link_unpin(const void *owner);
/* Room for a data frame's payload that is made for the purpose; pass it to link_data with the owner
 * LINK_STAGE. Only from a sender. */
uint8_t *link_stage(void);
extern const char LINK_STAGE[1];

/* Whoever may have something to send, served in turns. */
enum sender_kind { SENDER_PROCESS, SENDER_READER, SENDER_FILE, SENDER_CONNECTION };
struct sender {
  struct sender *next, *previous; /* NULL: not waiting */
  enum sender_kind kind;
};
void sender_wake(struct sender *sender);
void sender_forget(struct sender *sender);

/* ---- dispatch.c ---- */

/* False: not a frame that a sidecar sends. */
bool dispatch_known(uint8_t kind);
/* What the answer may need of the out-buffer. */
uint32_t dispatch_room(uint8_t kind);
/* False: the payload does not parse, which ends the link. The byte after the payload is writable. */
bool dispatch(const struct frame *frame, uint8_t *payload);

/* ---- process.c, exec-request.c, process-start.c, process-io.c, process-stdin.c, process-signal.c ---- */

struct output {
  int fd; /* -1: at its end */
  bool readable; /* an edge came and EAGAIN was not seen since */
  bool ended; /* END sent, or EXIT said that the channel is not open */
  struct ring ring; /* start: acknowledged (piped) or oldest kept (logged) */
  uint64_t sent;
  uint64_t exit_after; /* EXIT follows this byte */
};

struct input {
  int fd; /* -1: closed, or never a pipe */
  bool writable, eof, broken, ack_due;
  struct ring ring; /* start: taken by the process, end: received */
};

struct process {
  uint32_t stream; /* 0: released */
  uint32_t flags;
  uint32_t window;
  pid_t pid;
  char id[ID_MAX_BYTES + 1];
  bool attached, released, reaped, exit_sent, busy;
  bool was_read; /* a terminal's output has had a reader */
  uint8_t turn; /* which channel sends next */
  uint8_t cause, reason;
  uint32_t status;
  uint32_t readers;
  int64_t started_us, duration_us;
  int64_t kill_at_us; /* 0: no timeout */
  int64_t hold_until_us; /* END waits for EXIT until then; 0: not begun */
  uint64_t exit_order; /* among the exited logged ones */
  struct output out[2];
  struct input in;
  struct sender sender;
};

struct exec_request {
  char id[ID_MAX_BYTES + 1];
  char **args, **env;
  const char *cwd;
  uint32_t flags, window, timeout_ms, stdin_window;
  uint32_t cols, rows;
};

/* 0; -1: does not parse; or an errno with the step of FAIL. The strings are terminated in place. */
int exec_request_parse(uint8_t *payload, size_t length, struct exec_request *request, const char **step);

bool process_exec(uint32_t stream, uint8_t *payload, size_t length);
struct process *process_find(uint32_t stream);
struct process *process_at(uint32_t index);
uint32_t process_index(const struct process *process);
uint32_t processes_high(void); /* slots at and above are unused */
void process_release(struct process *process);
void process_free_if_done(struct process *process);
bool process_resume(struct process *process, const uint8_t *payload, size_t length);
void processes_table(void);
void processes_detach(void);
void processes_timers(int64_t now);
bool process_reap(pid_t pid, int status); /* false: not ours */
bool process_is_logged(const struct process *process); /* a terminal, too */
bool process_is_terminal(const struct process *process);

/* 0, or an errno with the step of FAIL. */
int process_start(struct process *process, const struct exec_request *request, const char **step);
void process_start_begin(void);

void process_pump(struct process *process, unsigned channel, size_t budget);
bool processes_pump(void); /* the busy ones; true if some still are */
void process_busy(struct process *process);
bool process_send(struct process *process);
void process_stdin(struct process *process, uint64_t offset, const uint8_t *bytes, size_t length);
void process_stdin_eof(struct process *process, uint64_t offset);
void process_stdin_flush(struct process *process);
void process_ack(struct process *process, uint8_t channel, uint64_t offset);

bool process_signal(struct process *process, const uint8_t *payload, size_t length);
void session_kill(pid_t session, int signal);
/* To every process of the VM but this one. */
void vm_signal(const uint8_t *payload);

/* ---- reader.c: READ_LOG, and what a terminal's attachments share with it ---- */

struct reader {
  uint32_t stream; /* 0: unused */
  uint32_t window; /* 0: takes no output */
  struct process *process;
  uint64_t sent[2], acked[2];
  bool ended[2];
  uint8_t turn;
  struct sender sender;
  bool is_attachment; /* lives on without a link */
  bool holds, resting; /* resting: not resumed on this link */
  char id[ID_MAX_BYTES + 1];
  struct input in; /* capacity 0: gives no input. fd: the process's */
};

bool reader_open(uint32_t stream, const uint8_t *payload, size_t length);
bool reader_is(uint32_t stream);
void reader_ack(uint32_t stream, uint8_t channel, uint64_t offset);
void reader_release(uint32_t stream);
void readers_wake(const struct process *process);
void readers_end(const struct process *process); /* the process is forgotten */
void readers_detach(void);
bool reader_send(struct sender *sender);
struct reader *reader_find(uint32_t stream);
struct reader *reader_take(void); /* NULL: none is free */
struct reader *reader_at(uint32_t index); /* NULL: unused */
uint32_t readers_high(void);

/* ---- terminal.c: ATTACH, RESIZE, input; what a terminal's readers let it write ---- */

bool terminal_attach(uint32_t stream, const uint8_t *payload, size_t length);
bool terminal_resize(struct process *process, const uint8_t *payload, size_t length);
void terminal_input(struct reader *reader, uint64_t offset, const uint8_t *bytes, size_t length);
/* Gives it what waits, as far as it takes it. */
void terminal_flush(struct process *process);
void terminal_timers(struct process *process, int64_t now);
bool terminal_resume(struct reader *reader, const uint8_t *payload, size_t length);
void terminal_send_ack(struct reader *reader);
/* Its columns and rows, as two u64; 0 at its end. */
void terminal_size(const struct process *process, uint8_t out[16]);
/* The attachments, behind the processes. */
void terminals_table(void);
/* How much of its output may be read before somebody has to take some. */
size_t terminal_room(const struct process *process);
/* A pair of ends, unlocked and sized; 0 or an errno. */
int terminal_open(int *ours, int *theirs, const struct exec_request *request);

/* ---- files.c, file-stream.c, file-job.c, file-remove.c, file-copy.c ---- */

struct file_request {
  uint8_t op;
  bool has_path2;
  char path[4096], path2[4096];
  uint32_t mode, flags, window;
  uint64_t length, start;
};

struct file_stream {
  uint32_t stream; /* 0: unused */
  uint8_t op;
  bool ended, append, at_end;
  int fd;
  pid_t job;
  uint32_t window;
  uint64_t start, limit, sent, acked, received;
  struct sender sender;
};

bool file_dispatch(uint32_t stream, const uint8_t *payload, size_t length);
void file_stat_put(uint8_t out[72], const void *stat);

struct file_stream *file_find(uint32_t stream);
/* A free slot with the stream's number, or NULL after having said so. */
struct file_stream *file_slot(uint32_t stream, uint8_t op);
void file_close(struct file_stream *file);
struct file_stream *file_of_job(pid_t pid);
void file_fail(struct file_stream *file, int error, const char *step);
void file_stream_open(uint32_t stream, const struct file_request *request);
bool file_send(struct file_stream *file);
void file_write(struct file_stream *file, uint64_t offset, const uint8_t *bytes, size_t length);
void file_write_eof(struct file_stream *file, uint64_t offset);
void file_ack(struct file_stream *file, uint64_t offset);
void file_signal(struct file_stream *file);
void files_detach(void);

/* Removes or copies in a forked child. */
void file_job_start(uint32_t stream, const struct file_request *request);
void file_job_cancel(struct file_stream *file);
bool file_job_reap(pid_t pid, int status);

int tree_remove(const char *path);
int tree_copy(const char *from, const char *to, uint32_t flags);

/* ---- connection.c, connection-io.c ---- */

struct door;

enum connection_state { CONNECTION_NONE, CONNECTION_CONNECTING, CONNECTION_WAITING, CONNECTION_OPEN };

struct connection {
  enum connection_state state;
  uint32_t stream; /* 0: waits at a door to be taken */
  uint32_t token;
  uint32_t window;
  uint16_t port; /* 0: a path's, or a door's */
  int fd;
  bool tried_6, settled, answer_due;
  bool readable, ended; /* ended: END was sent */
  bool shut; /* the program was told the end of what comes */
  int broken_by; /* why it takes no more */
  uint64_t sent, acked;
  struct input in; /* its fd is not used */
  struct door *door; /* while it waits */
  struct sender sender;
};

struct connection *connection_find(uint32_t stream);
/* NULL: none is free. */
struct connection *connection_take_slot(void);
struct connection *connection_of_token(uint32_t token);
int connection_watch(struct connection *connection);
void connection_close(struct connection *connection);
bool connection_open(uint32_t stream, const uint8_t *payload, size_t length);
bool connection_take(uint32_t stream, const uint8_t *payload, size_t length);
void connection_event(uint32_t index, uint32_t events);
void connection_fail(struct connection *connection, int error, const char *step);
/* The kernel has decided about an attempt to connect. */
void connection_settled(struct connection *connection);
bool connection_send(struct connection *connection);
void connection_flush(struct connection *connection);
void connection_ack(struct connection *connection, uint64_t offset);
void connection_input(struct connection *connection, uint64_t offset, const uint8_t *bytes, size_t length);
void connection_input_eof(struct connection *connection, uint64_t offset);
void connections_of_door(const struct door *door);
bool connections_have_room(void);
void connections_detach(void);

/* ---- door.c ---- */

bool door_open(uint32_t stream, const uint8_t *payload, size_t length);
bool door_refuse(const uint8_t *payload, size_t length);
bool door_is(uint32_t stream);
void door_release(uint32_t stream);
void door_event(uint32_t index);
/* One that waited at its door does no more. */
void door_left(struct connection *connection);
void doors_timers(int64_t now);
void doors_detach(void);

/* ---- process-list.c ---- */

struct proc_stat {
  uint32_t pid, ppid, pgid, sid;
  char state;
  uint64_t start_ticks, cpu_ticks, rss_bytes;
  char name[32];
};

void process_list(uint32_t stream);
/* False if there is no such process any more. */
bool proc_stat_read(int proc_fd, const char *pid, struct proc_stat *out);
/* The next numeric name of an open /proc; `left` and `at` begin as 0. NULL at the end. */
struct proc_walk {
  int fd;
  long left, at;
  _Alignas(8) char entries[4096];
};
bool proc_walk_begin(struct proc_walk *walk);
const char *proc_walk_next(struct proc_walk *walk);
void proc_walk_end(struct proc_walk *walk);

#define PROCESS_LIST_BYTES (2048u * 303u + 1u)
#define TABLE_BYTES ((PROCESSES_MAX + READERS_MAX + 1u) * (FRAME_HEADER_BYTES + 46u + ID_MAX_BYTES))

#endif
