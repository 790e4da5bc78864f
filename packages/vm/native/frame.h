/* Frames and fields (docs/vmd-link.md), and reading and writing whole buffers. */
#ifndef FRAME_H
#define FRAME_H

/* Before any header of the C library, so every file includes one of ours first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vmd.h"

struct frame {
  uint32_t length;
  uint8_t kind;
  uint32_t stream;
  uint64_t offset;
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the link is little-endian and so is every machine vmd is built for"
#endif

static inline uint16_t get_u16(const void *p) { uint16_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint32_t get_u32(const void *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint64_t get_u64(const void *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }
static inline void put_u16(void *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u32(void *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u64(void *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/* Writes the 17 bytes of a header. */
void frame_put(uint8_t *out, const struct frame *frame);
/* Reads them; false if the length is above FRAME_MAX_PAYLOAD. The kind is the caller's to judge. */
bool frame_get(const uint8_t *in, struct frame *frame);

/* One field of a payload. `value` points into the payload. */
struct field {
  uint16_t tag;
  uint32_t length;
  const uint8_t *value;
};

struct field_reader {
  const uint8_t *at;
  size_t left;
};

void fields_begin(struct field_reader *reader, const uint8_t *payload, size_t length);
/* 1: *field is the next one; 0: the end; -1: what is left is not a field. */
int fields_next(struct field_reader *reader, struct field *field);

/* Each is false unless the field has exactly that form. */
bool field_u8(const struct field *field, uint8_t *out);
bool field_u32(const struct field *field, uint32_t *out);
bool field_u64(const struct field *field, uint64_t *out);
/* Copies a string without NUL of 0..size-1 bytes and terminates it. */
bool field_string(const struct field *field, char *out, size_t size);
/* A string without NUL, not copied and not terminated. */
bool field_bytes(const struct field *field, const char **out, size_t *length);
/* "first NUL second" after `skip` bytes of fixed numbers: first is terminated by that NUL, second
 * is not. Each may be empty. `binary` lets the second hold NULs. */
bool field_pair(const struct field *field, size_t skip, bool binary, const char **first,
                const char **second, size_t *second_length);

/* Append a field; return the bytes used, or 0 if `room` is too small. */
size_t field_put(uint8_t *out, size_t room, uint16_t tag, const void *value, uint32_t length);

/* All of it on a blocking descriptor: 0, or an errno (ECONNRESET at an early end of file). */
int read_full(int fd, void *out, size_t length);
int write_full(int fd, const void *in, size_t length);

/* Header and payload in one write; 0 or an errno. */
int frame_send(int fd, uint8_t kind, uint32_t stream, uint64_t offset, const void *payload,
               uint32_t length);
/* FAIL: u32 errno, string step. */
int frame_send_fail(int fd, uint32_t stream, int error, const char *step);

#endif
