#include "ring.h"

#include <string.h>
#include <sys/mman.h>

bool ring_reserve(struct ring *ring) {
  if (ring->bytes != NULL) return true;
  void *memory = mmap(NULL, ring->capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  ring->bytes = memory;
  return true;
}

void ring_free(struct ring *ring) {
  if (ring->bytes != NULL) munmap(ring->bytes, ring->capacity);
  ring->bytes = NULL;
  ring->start = ring->end;
}

int ring_spans(const struct ring *ring, uint64_t from, size_t length, struct iovec spans[2]) {
  if (length == 0) return 0;
  size_t at = (size_t)(from % ring->capacity);
  size_t first = ring->capacity - at;
  if (first >= length) {
    spans[0] = (struct iovec){ring->bytes + at, length};
    return 1;
  }
  spans[0] = (struct iovec){ring->bytes + at, first};
  spans[1] = (struct iovec){ring->bytes, length - first};
  return 2;
}

ssize_t ring_fill(struct ring *ring, int fd, size_t length, bool overwrite) {
  size_t most = overwrite ? ring->capacity : ring_room(ring);
  struct iovec spans[2];
  int count = ring_spans(ring, ring->end, length < most ? length : most, spans);
  ssize_t n = readv(fd, spans, count);
  if (n <= 0) return n;
  ring->end += (uint64_t)n;
  if (ring->end - ring->start > ring->capacity) ring->start = ring->end - ring->capacity;
  return n;
}

ssize_t ring_drain(struct ring *ring, int fd) {
  struct iovec spans[2];
  int count = ring_spans(ring, ring->start, ring_used(ring), spans);
  ssize_t n = writev(fd, spans, count);
  if (n > 0) ring->start += (uint64_t)n;
  return n;
}

void ring_append(struct ring *ring, const uint8_t *bytes, size_t length) {
  struct iovec spans[2];
  int count = ring_spans(ring, ring->end, length, spans);
  for (int i = 0; i < count; i++) {
    memcpy(spans[i].iov_base, bytes, spans[i].iov_len);
    bytes += spans[i].iov_len;
  }
  ring->end += length;
}

void ring_forget(struct ring *ring, uint64_t offset) {
  if (offset > ring->start) ring->start = offset;
}
