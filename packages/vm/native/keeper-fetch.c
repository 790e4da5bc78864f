#include "frame.h"
#include "host.h"
#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int keeper_fetch(const char *socket_path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(socket_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), tree = -1;
  if (fd < 0) return -1;
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  int error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
                  ? frame_send(fd, K_LAYER, 0, 0, NULL, 0)
                  : errno;
  if (error == 0 && recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1) error = EPROTO;
  struct cmsghdr *header = error == 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof tree))
    memcpy(&tree, CMSG_DATA(header), sizeof tree);
  close(fd);
  errno = error != 0 ? error : EPROTO;
  return tree;
}
