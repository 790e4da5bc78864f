/* A byte stream's window: the bytes [start, end) of it, in memory mapped at the first byte. */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ring {
  uint8_t *bytes; /* NULL until the first byte */
  uint32_t capacity;
  uint64_t start, end;
};

static inline uint32_t ring_used(const struct ring *ring) { return (uint32_t)(ring->end - ring->start); }
static inline uint32_t ring_room(const struct ring *ring) { return ring->capacity - ring_used(ring); }

/* Maps the memory unless it is there; false if there is none to be had. */
bool ring_reserve(struct ring *ring);
void ring_free(struct ring *ring);
/* The places of the stream's bytes [from, from + length), at most the capacity; returns 0 to 2. */
int ring_spans(const struct ring *ring, uint64_t from, size_t length, struct iovec spans[2]);
/* One readv from a descriptor of at most `length` bytes. With `overwrite` the oldest bytes give way,
 * else at most the room is read. Returns what readv does. The memory must be reserved. */
ssize_t ring_fill(struct ring *ring, int fd, size_t length, bool overwrite);
/* One writev of the oldest bytes; what was written is forgotten. */
ssize_t ring_drain(struct ring *ring, int fd);
/* Appends; the caller has checked the room and reserved. */
void ring_append(struct ring *ring, const uint8_t *bytes, size_t length);
/* Forgets everything below `offset` (not above the end). */
void ring_forget(struct ring *ring, uint64_t offset);

#endif
