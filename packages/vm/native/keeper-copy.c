#include "frame.h"
#include "keeper.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

int keeper_copy(struct copied *copied) {
  uint32_t image = keeper.request.flags & SNAPSHOT_IMAGE ? 1 : 0;
  uint32_t last = keeper.request.flags & SNAPSHOT_FLATTEN ? keeper.frozen_count - image : 1;
  for (uint32_t i = last; i-- > 0;) {
    int error = layer_copy(keeper.frozen[i], COPY_TO, copied);
    if (error) return error;
  }
  /* Whoever finds it needs nobody to tell that it is whole. No part of a disk has such a name. */
  int mark = openat(COPY_TO, ".complete", O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
  if (mark < 0) return errno;
  close(mark);
  return 0;
}

void keeper_send_copied(int fd, const struct copied *copied) {
  uint8_t payload[16];
  if (copied->error != 0) {
    frame_send_fail(fd, 0, copied->error, "copy");
    return;
  }
  put_u64(payload, copied->bytes);
  put_u64(payload + 8, copied->files);
  frame_send(fd, K_COPIED, 0, 0, payload, sizeof payload);
}

int keeper_start_copying(pid_t *pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  *pid = fork();
  if (*pid == 0) {
    struct copied copied = {0};
    /* What is held is safe, and whoever starts from it is waited for: this can take its time. Refused, it is quicker. */
    (void)setpriority(PRIO_PROCESS, 0, 19);
    copied.error = keeper_copy(&copied);
    _exit(write_full(ends[1], &copied, sizeof copied) == 0 ? 0 : 1);
  }
  close(ends[1]);
  if (*pid > 0) return ends[0];
  close(ends[0]);
  return -1;
}
