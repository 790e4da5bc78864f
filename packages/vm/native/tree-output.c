/* The stream that a tree is told on: descriptor 1, in large pieces. */
#include "builtin.h"

#include <errno.h>
#include <unistd.h>

#define BUFFER_BYTES (256u * 1024u)

static char buffer[BUFFER_BYTES];
static size_t used;

int tree_flush(void) {
  for (size_t at = 0; at < used;) {
    ssize_t n = write(1, buffer + at, used - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return builtin_fail("write", n < 0 ? errno : EIO);
    at += (size_t)n;
  }
  used = 0;
  return 0;
}

int tree_room(size_t bytes) { return used + bytes > sizeof buffer ? tree_flush() : 0; }

void tree_put(const void *bytes, size_t length) {
  memcpy(buffer + used, bytes, length);
  used += length;
}

void tree_put_text(const char *text) {
  uint8_t length[2];
  put_u16(length, (uint16_t)strlen(text));
  tree_put(length, sizeof length);
  tree_put(text, strlen(text));
}

char *tree_spare(void) { return buffer + used; }

void tree_filled(size_t length) { used += length; }
