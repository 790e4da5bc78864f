/* Connections that are told which VMs live and end. */
#include "frame.h"
#include "host.h"
#include "link.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  MAX_WATCHERS = 64,
  /* Every VM's LIVE, and as many GONE again. */
  WATCHER_BYTES = 2 * 4096 * (FRAME_HEADER_BYTES + ID_MAX_BYTES),
};

static struct watcher {
  int fd; /* -1: free */
  bool memory;
  uint32_t start, end;
  uint8_t bytes[WATCHER_BYTES];
} *watchers;

void watchers_start(void) {
  watchers = private_memory(MAX_WATCHERS * sizeof *watchers);
  for (uint32_t i = 0; i < MAX_WATCHERS; i++) watchers[i].fd = -1;
}

static void end_watcher(struct watcher *w) {
  close(w->fd);
  w->fd = -1;
}

static void flush(struct watcher *w) {
  while (w->start < w->end) {
    ssize_t n = send(w->fd, w->bytes + w->start, w->end - w->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      w->start += (uint32_t)n;
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      end_watcher(w);
      return;
    }
  }
  w->start = w->end = 0;
}

/* A watcher that doesn't read loses its connection; the next one starts with the list of LIVE. */
static void put(struct watcher *w, uint8_t kind, const void *payload, size_t length) {
  if (w->fd < 0) return;
  if (w->end + FRAME_HEADER_BYTES + length > WATCHER_BYTES) {
    end_watcher(w);
    return;
  }
  struct frame frame = {.length = (uint32_t)length, .kind = kind};
  frame_put(w->bytes + w->end, &frame);
  memcpy(w->bytes + w->end + FRAME_HEADER_BYTES, payload, length);
  w->end += FRAME_HEADER_BYTES + (uint32_t)length;
}

static void put_live(const char *id, void *watcher) { put(watcher, K_LIVE, id, strlen(id)); }

bool watchers_add(int fd, bool memory) {
  uint32_t i = 0;
  while (i < MAX_WATCHERS && watchers[i].fd >= 0) i++;
  if (i == MAX_WATCHERS) {
    frame_send_fail(fd, 0, EAGAIN, "watchers");
    return false;
  }
  /* Edge-triggered: what a watcher sends is never read, and must not wake us for ever. */
  if (spawner_poll(fd, EPOLLOUT | EPOLLRDHUP | EPOLLET, ON_WATCHER, i) != 0) {
    frame_send_fail(fd, 0, errno, "epoll");
    return false;
  }
  struct watcher *w = &watchers[i];
  static const uint8_t no_channel = 0;
  w->fd = fd;
  w->memory = memory;
  w->start = w->end = 0;
  vms_each(put_live, w);
  put(w, K_END, &no_channel, 1);
  flush(w);
  return true;
}

void watchers_event(uint32_t index, uint32_t events) {
  struct watcher *w = &watchers[index];
  if (w->fd < 0) return;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) end_watcher(w);
  else flush(w);
}

void watchers_gone(const char *id) {
  for (uint32_t i = 0; i < MAX_WATCHERS; i++) {
    if (watchers[i].fd < 0) continue;
    put(&watchers[i], K_GONE, id, strlen(id));
    if (watchers[i].fd >= 0) flush(&watchers[i]);
  }
}

/* What a guest can cause must leave the room that ends need. */
void watchers_memory(const char *id) {
  for (uint32_t i = 0; i < MAX_WATCHERS; i++) {
    struct watcher *w = &watchers[i];
    if (w->fd < 0 || !w->memory || w->end > WATCHER_BYTES / 4) continue;
    put(w, K_MEMORY, id, strlen(id));
    if (w->fd >= 0) flush(w);
  }
}
