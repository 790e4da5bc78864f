/* What the files of the keeper share. Each has one, as it is a process of its own. */
#ifndef KEEPER_H
#define KEEPER_H

#include "host.h"

enum { CONNECTION = 3, USER_NAMESPACE, MOUNT_NAMESPACE, COPY_TO, LISTENER, OURS };

struct keeper {
  struct snapshot_request request;
  /* Frozen trees, topmost first: the layer itself, and for a flattened copy what lies below. */
  int frozen[LAYERS_MAX + 1];
  uint32_t frozen_count;
  int root, raw;
  const char *step;
};

extern struct keeper keeper;

/* keeper-disk.c: each is 0, or an errno. */
/* The layers that the VM sees now, the upper directory first. */
int keeper_open_layers(int *layers, uint32_t *count, bool clone);
/* A fresh upper directory on top of what is there, or all as it was. */
int keeper_switch_disk(void);

/* keeper-copy.c */
/* The frozen layers, into the directory: 0, or an errno. */
int keeper_copy(struct copied *copied);
void keeper_send_copied(int fd, const struct copied *copied);
/* Forks one who copies: its result's pipe, or -1 with errno. */
int keeper_start_copying(pid_t *pid);

/* keeper-serve.c: until it is told to end, or nobody has wanted to know for a while. The pipe is -1 once it was read. */
int keeper_serve(int result, pid_t copier);

#endif
