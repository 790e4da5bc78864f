#include "host.h"
#include "keeper.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MIN_BYTES = 1024 * 1024, BUSY_ATTEMPTS = 5, BUSY_US = 2000 };

#define DISK "/dev/.vm/disk"

static int open_raw(const char *name, uint32_t index, bool clone) {
  char path[64];
  uint32_t generation = keeper.request.disk.generation;
  if (strcmp(name, "upper") == 0) snprintf(path, sizeof path, "%u/upper", generation);
  else snprintf(path, sizeof path, "%u/%s/%u", generation, name, index);
  if (clone) return open_tree_at(keeper.raw, path, 0);
  return openat(keeper.raw, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int keeper_open_layers(int *layers, uint32_t *count, bool clone) {
  keeper.step = "layers";
  *count = 0;
  int fd = open_raw("upper", 0, clone);
  while (fd >= 0) {
    layers[(*count)++] = fd;
    if (*count > LAYERS_MAX) return E2BIG;
    fd = open_raw("layers", *count - 1, clone);
  }
  return errno == ENOENT && *count > 0 ? 0 : errno;
}

/* Of the size that is left: all of it together is what the VM may hold in memory. */
static int new_upper_tmpfs(void) {
  struct statfs now;
  if (fstatfs(keeper.raw, &now) != 0) return -1;
  uint64_t size = (uint64_t)now.f_bavail * (uint64_t)now.f_bsize;
  uint64_t inodes = now.f_ffree < 1024 ? 1024 : now.f_ffree;
  return new_tmpfs(size < MIN_BYTES ? MIN_BYTES : size, inodes, "755");
}

/* `tree` takes the place of the raw tree, with the frozen layers below a fresh upper directory. */
static int build_disk(int tree, const struct disk *disk, const int *layers, uint32_t count) {
  const char *part;
  keeper.step = "disk";
  if (disk_attach(keeper.root, tree) != 0 || disk_make(tree, disk) != 0) return errno;
  keeper.step = "layer";
  for (uint32_t i = 0; i < count; i++)
    if (disk_add_layer(tree, disk, i, layers[i]) != 0) return errno;
  keeper.step = "overlay";
  if (disk_overlay(tree, disk, count) != 0) return errno;
  keeper.step = "parts";
  return disk_bind(keeper.root, tree, disk, true, &part) == 0 ? 0 : errno;
}

static void bind_again(const int *parts, uint32_t first) {
  for (uint32_t i = first; i < keeper.request.disk.parts; i++)
    if (parts[i] >= 0) attach(keeper.root, keeper.request.disk.part[i], parts[i]);
}

/* Unmounts every part, unless a process holds one: the kernel's own count decides. */
static int take_parts(int *parts) {
  keeper.step = "busy";
  for (uint32_t i = 0; i < keeper.request.disk.parts; i++) {
    parts[i] = open_tree_at(AT_FDCWD, keeper.request.disk.part[i], 0);
    if (parts[i] < 0) return errno;
  }
  for (uint32_t i = keeper.request.disk.parts; i-- > 0;) {
    if (umount2(keeper.request.disk.part[i], 0) == 0) continue;
    int error = errno;
    bind_again(parts, i + 1);
    return error;
  }
  return 0;
}

/* As it was: a VM without its disk would be worse than one without a snapshot. */
static void restore_disk(int before, const int *parts) {
  const struct disk *disk = &keeper.request.disk;
  for (uint32_t i = disk->parts; i-- > 0;) umount2(disk->part[i], MNT_DETACH);
  umount2(DISK, MNT_DETACH);
  disk_attach(keeper.root, before);
  bind_again(parts, 0);
}

int keeper_switch_disk(void) {
  int parts[PARTS_MAX], layers[LAYERS_MAX + 1], error;
  uint32_t count;
  bool on_disk = keeper.request.flags & SNAPSHOT_ON_DISK;
  if (keeper.frozen_count >= LAYERS_MAX) return E2BIG;
  for (uint32_t i = 0; i < PARTS_MAX; i++) parts[i] = -1;
  /* The kept ones can't be mounted again: older kernels clone only what is attached somewhere. */
  if ((error = keeper_open_layers(layers, &count, true)) != 0) return error;
  keeper.step = "disk";
  int tree = on_disk ? open_tree_at(AT_FDCWD, DISK, 0) : new_upper_tmpfs();
  int before = open_tree_at(AT_FDCWD, DISK, TREE_RECURSIVE);
  if (tree < 0 || before < 0) return errno;
  /* What has just ended may hold its last file for a moment. */
  for (int attempt = 1; (error = take_parts(parts)) == EBUSY && attempt < BUSY_ATTEMPTS; attempt++) {
    for (uint32_t i = 0; i < keeper.request.disk.parts; i++) close(parts[i]);
    usleep(BUSY_US);
  }
  if (error) return error;
  struct disk next = keeper.request.disk;
  next.generation = on_disk ? next.generation + 1 : 0;
  error = umount2(DISK, MNT_DETACH) == 0 ? build_disk(tree, &next, layers, count) : errno;
  if (error) restore_disk(before, parts);
  return error;
}
