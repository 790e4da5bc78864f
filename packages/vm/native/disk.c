/*
 * What a guest can write to. A raw tree lies where guests can't reach it; they see parts of it. In
 * the raw tree each generation has an upper directory. With frozen layers below, the parts come from
 * an overlay of both.
 */
#include "host.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char *generation_path(char *out, const struct disk *disk, const char *name) {
  snprintf(out, DISK_PATH_BYTES, "%u/%s", disk->generation, name);
  return out;
}

static int make_directory(int directory, const char *path, mode_t mode) {
  if (mkdirat(directory, path, mode) == 0) return 0;
  return errno == EEXIST ? 0 : -1;
}

/* Every directory on the way; what was there keeps its mode. */
static int make_part(int upper, const char *part) {
  char path[PART_BYTES];
  snprintf(path, sizeof path, "%s", part + 1);
  for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (make_directory(upper, path, 0755) != 0) return -1;
    *slash = '/';
  }
  size_t length = strlen(part);
  bool shared = length >= 4 && strcmp(part + length - 4, "/tmp") == 0;
  return make_directory(upper, path, shared ? 01777 : 0755);
}

int disk_make(int raw, const struct disk *disk) {
  static const char *const names[] = {"upper", "work", "layers", "merged"};
  char path[DISK_PATH_BYTES];
  snprintf(path, sizeof path, "%u", disk->generation);
  if (make_directory(raw, path, 0755) != 0) return -1;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (make_directory(raw, generation_path(path, disk, names[i]), 0755) != 0) return -1;
  int upper = openat(raw, generation_path(path, disk, "upper"), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (upper < 0) return -1;
  int result = 0;
  for (uint32_t i = 0; i < disk->parts && result == 0; i++) result = make_part(upper, disk->part[i]);
  int error = errno;
  close(upper);
  errno = error;
  return result;
}

int disk_place(int root) {
  if (make_directory(root, "dev", 0755) != 0) return -1;
  /* The root is read-only when guests come, so this mode stays. */
  if (make_directory(root, "dev/.vm", 0) != 0) return -1;
  return place_directory(root, "/dev/.vm/disk");
}

int disk_open(int root) { return openat(root, "dev/.vm/disk", O_PATH | O_DIRECTORY | O_CLOEXEC); }

int disk_attach(int root, int raw) {
  int place = disk_place(root);
  if (place < 0) return -1;
  int result = move_mount_to(raw, place), error = errno;
  close(place);
  errno = error;
  return result;
}

int disk_add_layer(int raw, const struct disk *disk, uint32_t index, int tree) {
  char name[32], path[DISK_PATH_BYTES];
  snprintf(name, sizeof name, "layers/%u", index);
  if (make_directory(raw, generation_path(path, disk, name), 0755) != 0) return -1;
  int place = openat(raw, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return -1;
  int result = move_mount_to(tree, place), error = errno;
  close(place);
  errno = error;
  return result;
}

int disk_overlay(int raw, const struct disk *disk, uint32_t layers) {
  char options[LAYERS_MAX * 16 + 64], path[DISK_PATH_BYTES];
  int length = snprintf(options, sizeof options, "userxattr,upperdir=upper,workdir=work,lowerdir=");
  for (uint32_t i = 0; i < layers; i++)
    length += snprintf(options + length, sizeof options - (size_t)length, "%slayers/%u",
                       i == 0 ? "" : ":", i);
  snprintf(path, sizeof path, "%u", disk->generation);
  int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int at = openat(raw, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = -1;
  if (here >= 0 && at >= 0 && fchdir(at) == 0) {
    result = mount("overlay", "merged", "overlay", MS_NOSUID | MS_NODEV, options);
    int error = errno;
    if (fchdir(here) != 0) result = -1;
    else errno = error;
  }
  int error = errno;
  if (at >= 0) close(at);
  if (here >= 0) close(here);
  errno = error;
  return result;
}

int disk_bind(int root, int raw, const struct disk *disk, bool merged, const char **failed) {
  char name[PART_BYTES + 16], path[DISK_PATH_BYTES];
  int trees[PARTS_MAX];
  for (uint32_t i = 0; i < disk->parts; i++) {
    *failed = disk->part[i];
    snprintf(name, sizeof name, "%s%s", merged ? "merged" : "upper", disk->part[i]);
    trees[i] = open_tree_at(raw, generation_path(path, disk, name), 0);
    if (trees[i] >= 0) continue;
    int error = errno;
    while (i-- > 0) close(trees[i]);
    errno = error;
    return -1;
  }
  int first = 0;
  for (uint32_t i = 0; i < disk->parts; i++) {
    int error = attach(root, disk->part[i], trees[i]);
    if (error == 0 || first != 0) continue;
    first = error;
    *failed = disk->part[i];
  }
  errno = first;
  return first == 0 ? 0 : -1;
}
