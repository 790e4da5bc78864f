#include "frame.h"

#include "link.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

void frame_put(uint8_t *out, const struct frame *frame) {
  put_u32(out, frame->length);
  out[4] = frame->kind;
  put_u32(out + 5, frame->stream);
  put_u64(out + 9, frame->offset);
}

bool frame_get(const uint8_t *in, struct frame *frame) {
  frame->length = get_u32(in);
  frame->kind = in[4];
  frame->stream = get_u32(in + 5);
  frame->offset = get_u64(in + 9);
  return frame->length <= FRAME_MAX_PAYLOAD;
}

void fields_begin(struct field_reader *reader, const uint8_t *payload, size_t length) {
  reader->at = payload;
  reader->left = length;
}

int fields_next(struct field_reader *reader, struct field *field) {
  if (reader->left == 0) return 0;
  if (reader->left < 6) return -1;
  field->tag = get_u16(reader->at);
  field->length = get_u32(reader->at + 2);
  if (field->length > reader->left - 6) return -1;
  field->value = reader->at + 6;
  reader->at += 6 + (size_t)field->length;
  reader->left -= 6 + (size_t)field->length;
  return 1;
}

bool field_u8(const struct field *field, uint8_t *out) {
  if (field->length != 1) return false;
  *out = field->value[0];
  return true;
}

bool field_u32(const struct field *field, uint32_t *out) {
  if (field->length != 4) return false;
  *out = get_u32(field->value);
  return true;
}

bool field_u64(const struct field *field, uint64_t *out) {
  if (field->length != 8) return false;
  *out = get_u64(field->value);
  return true;
}

bool field_bytes(const struct field *field, const char **out, size_t *length) {
  if (field->length > 0 && memchr(field->value, 0, field->length) != NULL) return false;
  *out = (const char *)field->value;
  *length = field->length;
  return true;
}

bool field_string(const struct field *field, char *out, size_t size) {
  const char *bytes;
  size_t length;
  if (!field_bytes(field, &bytes, &length) || length >= size) return false;
  memcpy(out, bytes, length);
  out[length] = 0;
  return true;
}

bool field_pair(const struct field *field, size_t skip, bool binary, const char **first,
                const char **second, size_t *second_length) {
  if (field->length <= skip) return false;
  const uint8_t *start = field->value + skip;
  size_t length = field->length - skip;
  const uint8_t *nul = memchr(start, 0, length);
  if (nul == NULL) return false;
  const uint8_t *rest = nul + 1;
  size_t rest_length = length - (size_t)(rest - start);
  if (!binary && rest_length > 0 && memchr(rest, 0, rest_length) != NULL) return false;
  *first = (const char *)start;
  *second = (const char *)rest;
  *second_length = rest_length;
  return true;
}

size_t field_put(uint8_t *out, size_t room, uint16_t tag, const void *value, uint32_t length) {
  if (room < 6 || length > room - 6) return 0;
  put_u16(out, tag);
  put_u32(out + 2, length);
  if (length > 0) memcpy(out + 6, value, length);
  return 6 + (size_t)length;
}

/* A non-blocking descriptor is waited for, so that both kinds may be passed. */
static int wait_for(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  while (poll(&p, 1, -1) < 0)
    if (errno != EINTR) return errno;
  return 0;
}

int read_full(int fd, void *out, size_t length) {
  uint8_t *at = out;
  while (length > 0) {
    ssize_t n = read(fd, at, length);
    if (n > 0) {
      at += n;
      length -= (size_t)n;
    } else if (n == 0) {
      return ECONNRESET;
    } else if (errno == EAGAIN) {
      int error = wait_for(fd, POLLIN);
      if (error) return error;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

static int writev_full(int fd, struct iovec *parts, int count) {
  while (count > 0) {
    if (parts->iov_len == 0) {
      parts++;
      count--;
      continue;
    }
    ssize_t n = writev(fd, parts, count);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return errno;
      int error = wait_for(fd, POLLOUT);
      if (error) return error;
      continue;
    }
    size_t done = (size_t)n;
    while (count > 0 && done >= parts->iov_len) {
      done -= parts->iov_len;
      parts++;
      count--;
    }
    if (count > 0) {
      parts->iov_base = (uint8_t *)parts->iov_base + done;
      parts->iov_len -= done;
    }
  }
  return 0;
}

int write_full(int fd, const void *in, size_t length) {
  struct iovec part = {(void *)(uintptr_t)in, length};
  return writev_full(fd, &part, 1);
}

int frame_send(int fd, uint8_t kind, uint32_t stream, uint64_t offset, const void *payload,
               uint32_t length) {
  uint8_t header[FRAME_HEADER_BYTES];
  struct frame frame = {length, kind, stream, offset};
  frame_put(header, &frame);
  struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)payload, length}};
  return writev_full(fd, parts, 2);
}

int frame_send_fail(int fd, uint32_t stream, int error, const char *step) {
  uint8_t payload[4 + 128];
  size_t length = strnlen(step, sizeof payload - 4);
  put_u32(payload, (uint32_t)error);
  memcpy(payload + 4, step, length);
  return frame_send(fd, K_FAIL, stream, 0, payload, (uint32_t)(4 + length));
}
