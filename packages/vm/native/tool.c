/* agentos-tool: a program's way to its session's tools, by the door of docs/host-tools.md. */
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOOR_PATH "/run/agentos/tools"
#define TOKEN_VARIABLE "AGENTOS_TOOLS_TOKEN"

enum {
  HELLO_BYTES = 256 * 1024,
  COPY_BYTES = 64 * 1024,
  /* What a pipe that polls as writable takes without blocking. */
  WRITE_BYTES = 4096,
  FRAME_HEADER = 5,
  EXIT_FAILED = 1,
};

/* Frames of the door, after a call's hello. */
enum { OUT_FRAME = 1, ERR_FRAME = 2, EXIT_FRAME = 3 };

struct way {
  int from, to;
  bool ended;
  size_t start, end;
  uint8_t bytes[COPY_BYTES];
};

static int fail(const char *what) {
  char line[256];
  int n = snprintf(line, sizeof line, "agentos-tool: %s\n", what);
  if (n > 0 && (size_t)n < sizeof line && write(2, line, (size_t)n) < 0) return EXIT_FAILED;
  return EXIT_FAILED;
}

static bool write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

static bool read_all(int fd, uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = read(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

/* u32 length, then strings with a NUL after each: mode, token, arguments. */
static bool say_hello(int door, const char *mode, int count, char **words) {
  static uint8_t hello[4 + HELLO_BYTES];
  const char *token = getenv(TOKEN_VARIABLE);
  size_t length = 0;
  for (int i = -2; i < count; i++) {
    const char *word = i == -2 ? mode : i == -1 ? (token ? token : "") : words[i];
    size_t size = strlen(word) + 1;
    if (size > HELLO_BYTES - length) {
      errno = E2BIG;
      return false;
    }
    memcpy(hello + 4 + length, word, size);
    length += size;
  }
  for (int i = 0; i < 4; i++) hello[i] = (uint8_t)(length >> (8 * i));
  return write_all(door, hello, 4 + length);
}

static int open_door(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = DOOR_PATH};
  int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (door < 0) return -1;
  if (connect(door, (struct sockaddr *)&address, sizeof address) == 0) return door;
  close(door);
  return -1;
}

/* Moves what can be moved without waiting. False: the way is broken. */
static bool move(struct way *way, short came, short room) {
  if (way->start == way->end && (came & (POLLIN | POLLHUP | POLLERR))) {
    ssize_t n = read(way->from, way->bytes, COPY_BYTES);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return false;
    way->ended = n == 0;
    way->start = 0;
    way->end = n > 0 ? (size_t)n : 0;
  } else if (way->start < way->end && (room & (POLLOUT | POLLHUP | POLLERR))) {
    size_t left = way->end - way->start;
    ssize_t n = write(way->to, way->bytes + way->start, left < WRITE_BYTES ? left : WRITE_BYTES);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (n > 0) way->start += (size_t)n;
  }
  return true;
}

static bool is_done(const struct way *way) { return way->ended && way->start == way->end; }

/* MCP's lines, both ways, as they are: the sidecar is the server. */
static int bridge(int door) {
  static struct way in, out;
  in.from = 0;
  in.to = out.from = door;
  out.to = 1;
  bool told_end = false;
  while (!is_done(&out)) {
    bool in_holds = in.start < in.end, out_holds = out.start < out.end;
    struct pollfd fds[] = {
        {.fd = in.ended || in_holds ? -1 : in.from, .events = POLLIN},
        {.fd = in_holds ? in.to : -1, .events = POLLOUT},
        {.fd = out.ended || out_holds ? -1 : out.from, .events = POLLIN},
        {.fd = out_holds ? out.to : -1, .events = POLLOUT},
    };
    if (poll(fds, 4, -1) < 0 && errno != EINTR) return fail(strerror(errno));
    if (!move(&out, fds[2].revents, fds[3].revents)) break;
    if (!move(&in, fds[0].revents, fds[1].revents)) break;
    if (is_done(&in) && !told_end) {
      told_end = true;
      if (shutdown(door, SHUT_WR) != 0) break;
    }
  }
  return told_end && is_done(&out) ? 0 : fail("the connection to the sidecar broke");
}

/* The sidecar runs the command; here is its output, and its end. */
static int follow(int door) {
  static uint8_t bytes[COPY_BYTES];
  for (;;) {
    uint8_t header[FRAME_HEADER];
    if (!read_all(door, header, sizeof header)) return fail("the connection to the sidecar broke");
    uint32_t left = (uint32_t)header[1] | (uint32_t)header[2] << 8 | (uint32_t)header[3] << 16 |
                    (uint32_t)header[4] << 24;
    int fd = header[0] == OUT_FRAME ? 1 : 2;
    if (header[0] == EXIT_FRAME) {
      if (left != 1 || !read_all(door, bytes, 1)) return fail("the sidecar's answer is malformed");
      return bytes[0];
    }
    while (left > 0) {
      size_t part = left < sizeof bytes ? left : sizeof bytes;
      if (!read_all(door, bytes, part)) return fail("the connection to the sidecar broke");
      if (!write_all(fd, bytes, part)) return EXIT_FAILED;
      left -= (uint32_t)part;
    }
  }
}

int tool_main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  bool is_mcp = argc == 2 && strcmp(argv[1], "mcp") == 0;
  int door = open_door();
  if (door < 0) return fail("no sidecar serves tools in this VM");
  if (!say_hello(door, is_mcp ? "mcp" : "call", argc - 1, argv + 1))
    return fail(errno == E2BIG ? "the arguments are too long" : "the connection to the sidecar broke");
  return is_mcp ? bridge(door) : follow(door);
}
