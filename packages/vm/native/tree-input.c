#include "builtin.h"

#include <errno.h>
#include <unistd.h>

#define BUFFER_BYTES (256u * 1024u)

static char buffer[BUFFER_BYTES];
static size_t from, filled;

int tree_malformed(void) { return builtin_fail("stream", EBADMSG); }

static int refill(void) {
  for (;;) {
    ssize_t n = read(0, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return builtin_fail("stream", errno);
    if (n == 0) return builtin_fail("stream", ENODATA);
    from = 0;
    filled = (size_t)n;
    return 0;
  }
}

int tree_take(void *out, size_t length) {
  char *to = out;
  while (length > 0) {
    if (from == filled) {
      int error = refill();
      if (error != 0) return error;
    }
    size_t part = filled - from < length ? filled - from : length;
    memcpy(to, buffer + from, part);
    from += part;
    to += part;
    length -= part;
  }
  return 0;
}

int tree_take_text(char *out, size_t most) {
  uint8_t bytes[2];
  int error = tree_take(bytes, sizeof bytes);
  if (error != 0) return error;
  size_t length = get_u16(bytes);
  if (length > most) return tree_malformed();
  if ((error = tree_take(out, length)) != 0) return error;
  out[length] = 0;
  return strlen(out) == length ? 0 : tree_malformed();
}

int tree_take_into(int fd, uint64_t offset, uint32_t length) {
  while (length > 0) {
    int error = from == filled ? refill() : 0;
    if (error != 0) return error;
    size_t part = filled - from < length ? filled - from : length;
    ssize_t n = pwrite(fd, buffer + from, part, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return builtin_fail("write", n < 0 ? errno : EIO);
    from += (size_t)n;
    offset += (uint64_t)n;
    length -= (uint32_t)n;
  }
  return 0;
}
