#include "frame.h"
#include "keeper.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_MS = 2000, UNWATCHED_MS = 60000 };

static bool send_layer(int fd) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {(void *)(uintptr_t)"", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  int tree = open_tree_at(AT_FDCWD, "/", 0);
  if (tree < 0) return false;
  control.header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), &tree, sizeof tree);
  bool sent = sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
  close(tree);
  return sent;
}

struct serving {
  int watcher; /* -1: none */
  bool done, end;
  struct copied copied;
};

static void watch(struct serving *serving, int fd) {
  if (serving->watcher >= 0) close(serving->watcher);
  serving->watcher = fd;
  if (serving->done) keeper_send_copied(fd, &serving->copied);
}

static void serve_one(struct serving *serving) {
  int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  const struct timeval patience = {.tv_sec = REQUEST_MS / 1000};
  uint8_t header[FRAME_HEADER_BYTES];
  struct frame frame = {0};
  bool known = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
               read_full(fd, header, sizeof header) == 0 && frame_get(header, &frame) &&
               frame.length == 0;
  if (known && frame.kind == K_WATCH) {
    watch(serving, fd);
    return;
  }
  if (known && frame.kind == K_KILL) {
    /* Closed by our end: then nothing is written any more. */
    serving->end = true;
    return;
  }
  if (known && frame.kind == K_LAYER) send_layer(fd);
  close(fd);
}

static void take_result(struct serving *serving, int *result, pid_t copier) {
  if (read_full(*result, &serving->copied, sizeof serving->copied) != 0)
    serving->copied.error = EIO;
  close(*result);
  *result = -1;
  waitpid(copier, NULL, 0);
  serving->done = true;
  if (serving->watcher >= 0) keeper_send_copied(serving->watcher, &serving->copied);
}

int keeper_serve(int result, pid_t copier) {
  struct serving serving = {.watcher = CONNECTION};
  while (!serving.end) {
    struct pollfd polled[3] = {{.fd = LISTENER, .events = POLLIN},
                               {.fd = result, .events = POLLIN},
                               {.fd = serving.watcher, .events = POLLIN}};
    int n = poll(polled, 3, serving.watcher < 0 && serving.done ? UNWATCHED_MS : -1);
    if (n == 0) break;
    if (n < 0 && errno != EINTR) break;
    if (n < 0) continue;
    if (polled[2].revents != 0) {
      close(serving.watcher);
      serving.watcher = -1;
    }
    if (polled[1].revents != 0) take_result(&serving, &result, copier);
    if (polled[0].revents != 0) serve_one(&serving);
  }
  return result;
}
