/* What a watch has seen, written to stdout in batches (docs/watch-stream.md). */
#include "builtin.h"
#include "watch-tree.h"

#include <errno.h>
#include <unistd.h>

#define BUFFER_BYTES (64u * 1024u)
#define RECORD_BYTES (2u + 2u * (2u + WATCH_PATH_BYTES))

static char buffer[BUFFER_BYTES];
static size_t used, last; /* last: the record that was told last */

int watch_flush(void) {
  for (size_t at = 0; at < used;) {
    ssize_t n = write(1, buffer + at, used - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return builtin_fail("write", n < 0 ? errno : EIO);
    at += (size_t)n;
  }
  used = 0;
  return 0;
}

static void put_text(const char *text) {
  size_t length = strlen(text);
  put_u16(buffer + used, (uint16_t)length);
  memcpy(buffer + used + 2, text, length);
  used += 2 + length;
}

/* A program that writes a file in many pieces changes it once for each batch. */
static bool was_told(uint8_t kind, const char *path) {
  return kind == WATCH_MODIFIED && used > last && buffer[last] == WATCH_MODIFIED &&
         strlen(path) == get_u16(buffer + last + 2) && memcmp(buffer + last + 4, path, strlen(path)) == 0;
}

int watch_tell(uint8_t kind, uint8_t type, const char *path, const char *from) {
  if (was_told(kind, path)) return 0;
  int error = used + RECORD_BYTES > sizeof buffer ? watch_flush() : 0;
  if (error != 0) return error;
  last = used;
  buffer[used++] = (char)kind;
  buffer[used++] = (char)type;
  put_text(path);
  put_text(from);
  return 0;
}
