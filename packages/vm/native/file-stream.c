#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL_READ_BYTES (16u * 1024u)
/* Room for the longest entry of a directory, as the kernel gives it. */
#define ENTRY_BYTES 288u

static struct file_stream files[FILES_MAX];
static uint32_t high;

struct file_stream *file_find(uint32_t stream) {
  for (uint32_t i = 0; stream != 0 && i < high; i++)
    if (files[i].stream == stream) return &files[i];
  return NULL;
}

struct file_stream *file_slot(uint32_t stream, uint8_t op) {
  uint32_t index = 0;
  /* A job that was cancelled keeps its slot until it is reaped. */
  while (index < high && (files[index].stream != 0 || files[index].job != 0)) index++;
  if (index == FILES_MAX) {
    link_fail(stream, EAGAIN, "table");
    return NULL;
  }
  if (index == high) high++;
  files[index] = (struct file_stream){.stream = stream, .op = op, .fd = -1, .sender = {.kind = SENDER_FILE}};
  return &files[index];
}

void file_close(struct file_stream *file) {
  sender_forget(&file->sender);
  if (file->fd >= 0) close(file->fd);
  file->fd = -1;
  file->stream = 0;
  if (file->job != 0) file_job_cancel(file);
  while (high > 0 && files[high - 1].stream == 0 && files[high - 1].job == 0) high--;
}

void file_fail(struct file_stream *file, int error, const char *step) {
  link_fail(file->stream, error, step);
  file_close(file);
}

void files_detach(void) {
  for (uint32_t i = high; i-- > 0;)
    if (files[i].stream != 0) file_close(&files[i]);
}

struct file_stream *file_of_job(pid_t pid) {
  for (uint32_t i = 0; i < high; i++)
    if (files[i].job == pid) return &files[i];
  return NULL;
}

static const char *name_of(const struct file_stream *file) {
  return file->op == OP_READ ? "read" : file->op == OP_WRITE ? "write" : "readdir";
}

static int check_type(mode_t mode, uint8_t op) {
  if (op == OP_READDIR) return S_ISDIR(mode) ? 0 : ENOTDIR;
  if (S_ISDIR(mode)) return EISDIR;
  return S_ISFIFO(mode) || S_ISSOCK(mode) ? EINVAL : 0;
}

static int open_flags(const struct file_request *request) {
  int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  if (request->op == OP_READDIR) return flags | O_RDONLY | O_DIRECTORY;
  if (request->op == OP_READ) return flags | O_RDONLY;
  flags |= O_WRONLY | O_CREAT;
  if (request->flags & FILE_EXCLUSIVE) flags |= O_EXCL;
  if (request->flags & FILE_APPEND) return flags | O_APPEND;
  return request->flags & FILE_KEEP ? flags : flags | O_TRUNC;
}

/* Returns an errno. The type is asked before the open too: opening a FIFO disturbs its other end. */
static int open_file(struct file_stream *file, const struct file_request *request, struct stat *stat_of) {
  if (request->start > INT64_MAX || request->length > INT64_MAX) return EINVAL;
  if (stat(request->path, stat_of) == 0) {
    int error = check_type(stat_of->st_mode, request->op);
    if (error != 0) return error;
  }
  file->fd = open(request->path, open_flags(request), request->mode);
  if (file->fd < 0) return errno;
  if (fstat(file->fd, stat_of) < 0) return errno;
  return check_type(stat_of->st_mode, request->op);
}

void file_stream_open(uint32_t stream, const struct file_request *request) {
  struct file_stream *file = file_slot(stream, request->op);
  if (file == NULL) return;
  struct stat stat_of;
  int error = open_file(file, request, &stat_of);
  if (error != 0) {
    file_fail(file, error, name_of(file));
    return;
  }
  file->window = request->window;
  file->start = request->start;
  file->append = request->flags & FILE_APPEND || S_ISCHR(stat_of.st_mode);
  file->limit = request->length == 0 ? UINT64_MAX : request->length;
  if (request->op == OP_WRITE) return;
  uint8_t payload[6 + 72], bytes[72];
  file_stat_put(bytes, &stat_of);
  link_control(K_FILE_RESULT, stream, 0, payload, (uint32_t)field_put(payload, sizeof payload, F_STAT, bytes, 72));
  sender_wake(&file->sender);
}

static void end_if_acknowledged(struct file_stream *file) {
  if (file->ended && file->acked == file->sent) file_close(file);
}

void file_ack(struct file_stream *file, uint64_t offset) {
  if (file->op != OP_READ && file->op != OP_READDIR) return;
  if (offset > file->sent) {
    link_fail(file->stream, ERANGE, "ack");
    return;
  }
  if (offset > file->acked) file->acked = offset;
  if (!file->ended) sender_wake(&file->sender);
  end_if_acknowledged(file);
}

static bool send_end(struct file_stream *file) {
  uint8_t channel = CHANNEL_STDOUT;
  file->ended = link_control(K_END, file->stream, file->sent, &channel, 1);
  bool again = !file->ended;
  end_if_acknowledged(file);
  return again;
}

static void send_bytes(struct file_stream *file, uint8_t *bytes, size_t length) {
  struct iovec span = {bytes, length};
  struct frame frame = {(uint32_t)length, K_OUT, file->stream, file->sent};
  file->sent += length;
  link_data(&frame, &span, 1, LINK_STAGE);
}

/* Nothing is kept of a file: its bytes are read when there is credit for them. */
static bool send_file(struct file_stream *file, uint64_t credit) {
  uint64_t most = file->limit - file->sent;
  if (most > credit) most = credit;
  if (most > DATA_FRAME_BYTES) most = DATA_FRAME_BYTES;
  uint8_t *bytes = link_stage();
  ssize_t n = most == 0 ? 0 : pread(file->fd, bytes, (size_t)most, (off_t)(file->start + file->sent));
  if (n < 0 && errno == EINTR) return true;
  if (n < 0) {
    file_fail(file, errno, "read");
    return false;
  }
  if (n > 0) send_bytes(file, bytes, (size_t)n);
  if (n == 0 || file->sent == file->limit) return send_end(file);
  return true;
}

static uint8_t entry_type(int fd, const char *name, uint8_t type) {
  struct stat stat_of;
  uint8_t bytes[72];
  if (type == DT_UNKNOWN) {
    if (fstatat(fd, name, &stat_of, AT_SYMLINK_NOFOLLOW) < 0) return 'f';
    file_stat_put(bytes, &stat_of);
    return bytes[0];
  }
  return type == DT_DIR ? 'd' : type == DT_LNK ? 'l' : type == DT_CHR ? 'c' : type == DT_BLK ? 'b'
         : type == DT_FIFO ? 'p' : type == DT_SOCK ? 's' : 'f';
}

/* The kernel's entries are longer than ours, so what it gives for the credit fits in the credit. */
static bool send_entries(struct file_stream *file, uint64_t credit) {
  static _Alignas(8) char entries[SMALL_READ_BYTES];
  if (credit < ENTRY_BYTES) return false;
  size_t room = credit < sizeof entries ? (size_t)credit : sizeof entries;
  long n = syscall(SYS_getdents64, file->fd, entries, room);
  if (n < 0) {
    file_fail(file, errno, "readdir");
    return false;
  }
  uint8_t *out = link_stage();
  size_t length = 0;
  for (long at = 0; at < n; at += get_u16(entries + at + 16)) {
    const char *name = entries + at + 19;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    size_t name_length = strlen(name);
    out[length] = entry_type(file->fd, name, (uint8_t)entries[at + 18]);
    put_u16(out + length + 1, (uint16_t)name_length);
    memcpy(out + length + 3, name, name_length);
    length += 3 + name_length;
  }
  if (n == 0) return send_end(file);
  if (length > 0) send_bytes(file, out, length);
  return true;
}

bool file_send(struct file_stream *file) {
  if (file->stream == 0 || file->ended) return false;
  uint64_t credit = file->window - (file->sent - file->acked);
  /* The end of a file is told without credit. */
  if (file->op == OP_READ) return (credit > 0 || file->sent == file->limit) && send_file(file, credit);
  if (file->op == OP_READDIR) return send_entries(file, credit);
  return false;
}

static ssize_t write_some(const struct file_stream *file, const uint8_t *bytes, size_t length) {
  if (file->append) return write(file->fd, bytes, length);
  return pwrite(file->fd, bytes, length, (off_t)(file->start + file->received));
}

void file_write(struct file_stream *file, uint64_t offset, const uint8_t *bytes, size_t length) {
  if (file->op != OP_WRITE || offset > file->received || file->start + file->received + length > INT64_MAX) {
    file_fail(file, file->op != OP_WRITE ? EINVAL : ERANGE, "write");
    return;
  }
  uint64_t known = file->received - offset;
  if (known > length) known = length;
  bytes += known;
  length -= known;
  while (length > 0) {
    ssize_t n = write_some(file, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      file_fail(file, n < 0 ? errno : EIO, "write");
      return;
    }
    file->received += (uint64_t)n;
    bytes += n;
    length -= (size_t)n;
  }
  link_control(K_IN_ACK, file->stream, file->received, NULL, 0);
}

void file_write_eof(struct file_stream *file, uint64_t offset) {
  struct stat stat_of;
  if (file->op != OP_WRITE || offset != file->received) {
    file_fail(file, file->op != OP_WRITE ? EINVAL : ERANGE, "write");
    return;
  }
  int error = fstat(file->fd, &stat_of) < 0 ? errno : 0;
  /* Some file systems tell of a full disk only here. */
  int fd = file->fd;
  file->fd = -1;
  if (close(fd) < 0 && error == 0 && errno != EINTR) error = errno;
  if (error != 0) {
    file_fail(file, error, "write");
    return;
  }
  uint8_t payload[6 + 8], size[8];
  put_u64(size, (uint64_t)stat_of.st_size);
  link_control(K_FILE_RESULT, file->stream, 0, payload,
               (uint32_t)field_put(payload, sizeof payload, F_LENGTH, size, sizeof size));
  file_close(file);
}

void file_signal(struct file_stream *file) {
  if (file->job != 0) file_job_cancel(file);
  else file_fail(file, ECANCELED, "cancelled");
}
