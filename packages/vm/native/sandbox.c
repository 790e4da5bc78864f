/* sandbox_enter: from a fresh clone to the sealed VM. Runs in PID 1, before any guest code. */
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct build {
  const struct config *config;
  int root, mount_fd, raw;
  uint32_t layers;
  struct disk disk;
};

enum { DOORS_BYTES = 64 * 1024, DOORS_INODES = 128 };

/* Of the disk until its size is known: room for its directories. */
enum { UNSIZED_BYTES = 1024 * 1024, UNSIZED_INODES = 64, RUN_BYTES = 16 * 1024 * 1024, RUN_INODES = 4096 };

static char step_text[160];

static int fail(const char *step, const char *target) {
  int error = errno;
  if (target == NULL) snprintf(step_text, sizeof step_text, "%s", step);
  else snprintf(step_text, sizeof step_text, "%s:%.100s", step, target);
  return error;
}

/*
 * The new root is mounted over "/" at once, but "/" goes on meaning the old one until the pivot,
 * because a path's start isn't looked up. So the old tree is named by absolute paths, the new one
 * by its descriptor, and no directory of the host is covered meanwhile.
 */
static int begin_root(struct build *build) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return fail("private", NULL);
  const struct config *config = build->config;
  build->root = new_tmpfs(config->root_bytes, config->root_inodes, "755");
  if (build->root < 0) return fail("root-tmpfs", NULL);
  if (syscall(NR_MOVE_MOUNT, build->root, "", AT_FDCWD, "/", MOVE_FROM_FD) != 0)
    return fail("root-attach", NULL);
  return fchdir(build->root) == 0 ? 0 : fail("root-enter", NULL);
}

static int add_source(struct build *build, const struct entry *entry, enum source_kind kind) {
  const char *step;
  bool map_owner = (entry->flags & MOUNT_FLAG_MAP_OWNER) != 0;
  int tree = -1;
  /* What everybody may read needs nobody else's hand, and an answer of the launcher takes long. */
  if (build->mount_fd < 0 || kind == SOURCE_SYSTEM)
    tree = open_source(entry->source, kind, map_owner, GUEST_ID, GUEST_ID, &step);
  if (tree < 0 && build->mount_fd >= 0)
    tree = request_source(build->mount_fd, entry->source, kind, map_owner, &step);
  if (tree < 0) return fail(step, entry->target);
  errno = attach(build->root, entry->target, tree);
  return errno == 0 ? 0 : fail("mount-target", entry->target);
}

static int add_system(const struct entry *entry, void *build) {
  return add_source(build, entry, SOURCE_SYSTEM);
}

static uint64_t inodes_for(uint64_t bytes) { return bytes / 4096 < 1024 ? 1024 : bytes / 4096; }

static int add_mount(const struct entry *entry, void *context) {
  struct build *build = context;
  if (entry->kind == MOUNT_HOST_RO) return add_source(build, entry, SOURCE_READ_ONLY);
  if (entry->kind == MOUNT_HOST_RW) return add_source(build, entry, SOURCE_READ_WRITE);
  int tree = new_tmpfs(entry->bytes, inodes_for(entry->bytes), "755");
  if (tree < 0) return fail("mount-memory", entry->target);
  errno = attach(build->root, entry->target, tree);
  return errno == 0 ? 0 : fail("mount-target", entry->target);
}

static int add_link(const struct entry *entry, void *context) {
  struct build *build = context;
  const char *name;
  int parent = place_parent(build->root, entry->target, &name);
  if (parent < 0) return fail("link", entry->target);
  if (symlinkat(entry->source, parent, name) != 0) return fail("link", entry->target);
  close(parent);
  return 0;
}

/* A file of the new root takes the place of another, which may be one of /proc. */
static int add_cover(const struct entry *entry, void *context) {
  struct build *build = context;
  int tree = open_tree_at(build->root, entry->source + 1, 0);
  if (tree < 0) return fail("cover", entry->source);
  errno = attach(build->root, entry->target, tree);
  return errno == 0 ? 0 : fail("cover", entry->target);
}

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0) return -1;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

static int add_file(const struct entry *entry, void *context) {
  struct build *build = context;
  const char *name;
  int parent = place_parent(build->root, entry->target, &name);
  if (parent < 0) return fail("file", entry->target);
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(parent, name, flags, entry->mode);
  if (fd < 0 || write_all(fd, entry->content, entry->content_length) != 0)
    return fail("file", entry->target);
  close(fd);
  close(parent);
  return 0;
}

/*
 * One tmpfs, so that one limit holds for everything that a guest can write without a mount. Made
 * before anybody knows how large it may be: nothing is written to it until then.
 */
static int add_disk(struct build *build) {
  const char *part;
  struct disk *disk = &build->disk;
  disk_default_parts(disk);
  int raw = new_tmpfs(UNSIZED_BYTES, UNSIZED_INODES, "755");
  if (raw < 0) return fail("disk-tmpfs", NULL);
  /* Older kernels clone a tree only while it is attached somewhere. */
  if (disk_attach(build->root, raw) != 0) return fail("disk-attach", NULL);
  if (disk_make(raw, disk) != 0) return fail("disk", NULL);
  if (disk_bind(build->root, raw, disk, false, &part) != 0) return fail("disk", part);
  close(raw);
  /* What lies there is of the processes that run: it is in no snapshot, and things are mounted there. */
  int run_tree = new_tmpfs(RUN_BYTES, RUN_INODES, "755");
  if (run_tree < 0 || (errno = attach(build->root, "/run", run_tree)) != 0) return fail("run", NULL);
  return 0;
}

static int doors_fd = -1;

int sandbox_doors(void) { return doors_fd; }

/* A directory that its users see read-only, through a mount of their own: PID 1 alone can write it,
 * through one that has no place. */
static int add_doors(struct build *build) {
  int tree = new_tmpfs(DOORS_BYTES, DOORS_INODES, "755");
  int place = place_directory(build->root, DOORS_PATH);
  /* Older kernels clone a tree only while it is attached somewhere. */
  if (tree < 0 || place < 0 || move_mount_to(tree, place) != 0) return fail("doors", NULL);
  close(place);
  doors_fd = open_tree_at(tree, "", TREE_EMPTY_PATH);
  struct mount_attributes read_only = {.set = ATTR_RDONLY};
  if (doors_fd < 0 || set_mount_attributes(tree, 0, &read_only) != 0) return fail("doors", NULL);
  close(tree);
  return 0;
}

static int size_disk(struct build *build) {
  const struct config *config = build->config;
  if (resize_tmpfs(build->root, "dev/.vm/disk", config->disk_bytes, config->disk_inodes) != 0)
    return fail("disk-size", NULL);
  return 0;
}

/* A tree of the host, by the launcher's hand where that is root's. */
static int open_host(struct build *build, const char *path, enum source_kind kind,
                     const char **step) {
  if (build->mount_fd >= 0) return request_source(build->mount_fd, path, kind, false, step);
  return open_source(path, kind, false, GUEST_ID, GUEST_ID, step);
}

static int add_layer(const struct entry *entry, void *context) {
  struct build *build = context;
  const char *step;
  if (build->layers == LAYERS_MAX) {
    errno = E2BIG;
    return fail("layer", NULL);
  }
  int tree = open_host(build, entry->source, SOURCE_LAYER, &step);
  if (tree < 0) return fail("layer", step);
  if (disk_add_layer(build->raw, &build->disk, build->layers, tree) != 0) return fail("layer", NULL);
  close(tree);
  build->layers++;
  return 0;
}

static int take_disk(const struct entry *entry, void *context) {
  struct build *build = context;
  const char *step;
  if (umount2("dev/.vm/disk", MNT_DETACH) != 0) return fail("disk-detach", NULL);
  build->raw = open_host(build, entry->source, SOURCE_READ_WRITE, &step);
  if (build->raw < 0) return fail("disk", step);
  return disk_attach(build->root, build->raw) == 0 ? 0 : fail("disk-attach", NULL);
}

static bool has(const struct config *config, int tag) { return config->seen >> tag & 1; }

/* The disk of a VM that doesn't begin with nothing, in the place of the one that was prepared. */
static int replace_disk(struct build *build) {
  const struct config *config = build->config;
  const char *part;
  if (!has(config, F_DISK) && !has(config, F_LAYER) && !has(config, F_PART)) return 0;
  for (uint32_t i = build->disk.parts; i-- > 0;)
    if (umount2(build->disk.part[i] + 1, MNT_DETACH) != 0) return fail("disk-detach", NULL);
  if (config->disk.parts > 0) build->disk = config->disk;
  build->disk.generation = config->disk.generation;
  int error = config_each(config, F_DISK, take_disk, build);
  if (error) return error;
  if (build->raw < 0) build->raw = disk_open(build->root);
  if (build->raw < 0 || disk_make(build->raw, &build->disk) != 0) return fail("disk", NULL);
  error = config_each(config, F_LAYER, add_layer, build);
  if (error) return error;
  if (build->layers > 0) {
    if (disk_overlay(build->raw, &build->disk, build->layers) != 0) return fail("overlay", NULL);
  }
  if (disk_bind(build->root, build->raw, &build->disk, build->layers > 0, &part) != 0)
    return fail("disk", part);
  close(build->raw);
  return 0;
}

static int add_devices(struct build *build) {
  static const char *const devices[] = {"/dev/null", "/dev/zero",    "/dev/full",
                                        "/dev/random", "/dev/urandom", "/dev/tty"};
  static const char *const links[][2] = {{"/dev/ptmx", "pts/ptmx"},
                                         {"/dev/fd", "/proc/self/fd"},
                                         {"/dev/stdin", "/proc/self/fd/0"},
                                         {"/dev/stdout", "/proc/self/fd/1"},
                                         {"/dev/stderr", "/proc/self/fd/2"}};
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    int tree = open_tree_at(AT_FDCWD, devices[i], 0);
    if (tree < 0) return fail("device", devices[i]);
    if ((errno = attach(build->root, devices[i], tree)) != 0) return fail("device", devices[i]);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlinkat(links[i][1], build->root, links[i][0] + 1) != 0) return fail("link", links[i][0]);
  int pts = new_devpts();
  if (pts < 0 || (errno = attach(build->root, "/dev/pts", pts)) != 0) return fail("devpts", NULL);
  int proc = new_proc();
  if (proc < 0 || (errno = attach(build->root, "/proc", proc)) != 0) return fail("proc", NULL);
  return 0;
}

static int add_shm(struct build *build) {
  uint64_t bytes = build->config->shm_bytes;
  int shm = new_tmpfs(bytes, inodes_for(bytes), "1777");
  if (shm < 0 || (errno = attach(build->root, "/dev/shm", shm)) != 0) return fail("shm", NULL);
  return 0;
}

static int finish_root(struct build *build) {
  int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(build->root) != 0) return fail("pivot", NULL);
  /* The old root ends on top of the new one, and goes from there. */
  if (syscall(SYS_pivot_root, ".", ".") != 0) return fail("pivot", NULL);
  if (fchdir(old) != 0 || umount2(".", MNT_DETACH) != 0) return fail("old-root", NULL);
  close(old);
  struct mount_attributes read_only = {.set = ATTR_RDONLY};
  if (set_mount_attributes(build->root, 0, &read_only) != 0) return fail("read-only", NULL);
  close(build->root);
  return chdir("/") == 0 ? 0 : fail("root-enter", NULL);
}

static struct config config;
static struct build build = {.config = &config, .root = -1, .mount_fd = -1, .raw = -1};

/* What only the image decides: the same for every VM on it. */
static int build_image(void) {
  int error = 0;
  if (build.root < 0) {
    error = begin_root(&build);
    if (error == 0) error = add_devices(&build);
    if (error == 0) error = add_disk(&build);
    if (error == 0) error = add_doors(&build);
  }
  if (error == 0) error = config_each(&config, F_SYSTEM, add_system, &build);
  if (error == 0) error = config_each(&config, F_LINK, add_link, &build);
  return error;
}

static int build_early(void) {
  int error = build_image();
  return error ? error : config_each(&config, F_FILE, add_file, &build);
}

static int build_root(void) {
  int error = build_image();
  if (error == 0) error = size_disk(&build);
  if (error == 0) error = replace_disk(&build);
  if (error == 0) error = add_shm(&build);
  if (error == 0) error = config_each(&config, F_FILE, add_file, &build);
  if (error == 0) error = config_each(&config, F_COVER, add_cover, &build);
  if (error == 0) error = config_each(&config, F_MOUNT, add_mount, &build);
  if (error == 0) error = finish_root(&build);
  return error;
}

static int run(int (*part)(void), const char **step) {
  umask(0);
  int error = part();
  umask(022);
  if (error) *step = step_text;
  return error;
}

int sandbox_prepare(const uint8_t *payload, size_t length, int mount_fd, const char **step) {
  int error = config_parse_part(payload, length, &config, step);
  if (error) return error;
  /* Mounts come last: what they cover must be there before. */
  bool early = config.seen & (UINT64_C(1) << F_MOUNT);
  if (early || !config_has(&config, F_HOSTNAME, F_ROOT_INODES)) return EINVAL;
  build.mount_fd = mount_fd;
  error = run(build_early, step);
  return error ? error : seal_early(step);
}

int sandbox_enter(const uint8_t *payload, size_t length, int mount_fd, const char **step) {
  int error = config_parse_part(payload, length, &config, step);
  if (error) return error;
  if (!config_has(&config, F_HOSTNAME, F_SHM_BYTES)) return EINVAL;
  build.mount_fd = mount_fd;
  error = run(build_root, step);
  return error ? error : seal(&config, step);
}
