/* What the host-side files of vmd share: spawner, launcher, sandbox, probe. */
#ifndef HOST_H
#define HOST_H

/* Before any header of the C library, so every file includes one of ours first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "vmd.h"

#define GUEST_ID 1000u
#define CGROUPS_MAX 8u
#define CGROUPS_BYTES 2048u
#define PATH_BYTES 4096u
#define PARTS_MAX 40u
#define PART_BYTES 64u
#define LAYERS_MAX 64u
#define DISK_PATH_BYTES (PART_BYTES + 32u)

/* CREATE, parsed. cgroups: each path with its NUL, one after the other. */
struct create_request {
  struct create_spec spec;
  uint32_t cgroups_length;
  char cgroups[CGROUPS_BYTES];
};

/* The parts of a VM's disk, and which of its upper directories is the present one. */
struct disk {
  uint32_t generation, parts;
  char part[PARTS_MAX][PART_BYTES];
};

/* SNAPSHOT, parsed. */
struct snapshot_request {
  char vm_id[ID_MAX_BYTES + 1];
  char socket_path[108];    /* of the keeper; empty: none */
  char copy_to[PATH_BYTES]; /* an empty directory; empty: none */
  uint32_t flags;
  struct disk disk;
};

/* ADJUST, parsed; 0: as it is. */
struct adjust_request {
  char vm_id[ID_MAX_BYTES + 1];
  uint64_t disk_bytes, disk_inodes, watches;
};

/* main.c */
void report_failure(const char *step, int error, const char *vm_id);

/* names.c */
bool valid_id(const char *id);
/* Absolute, no empty, "." or ".." part; "/" alone is refused. */
bool valid_path(const char *path);

/* spawner.c */
int spawner_run(const char *socket_path);
enum event_source { ON_LISTENER, ON_SIGNAL, ON_STDIN, ON_PENDING, ON_WATCHER, ON_REPORT, ON_MEMORY };
int spawner_poll(int fd, uint32_t events, enum event_source source, uint32_t index);
uint64_t now_ms(void);
/* Zeroed, and not copied by fork. Ends the process when there is none. */
void *private_memory(size_t size);

/* create.c: 0, or an errno with the field's name in *step. */
int create_parse(const uint8_t *payload, size_t length, struct create_request *request,
                 const char **step);
int snapshot_parse(const uint8_t *payload, size_t length, struct snapshot_request *request,
                   const char **step);
/* A unix socket, mode 0600, listening: the descriptor, or -1 with errno. */
int listen_unix(const char *path, int backlog);

/* vms.c */
void vms_start(void);
void vms_create(const struct create_request *request, int connection);
int vms_kill(const char *id);
void vms_kill_all(void);
/* Forks the one who does it, and answers on `connection`: 0, or an errno. */
int vms_snapshot(const struct snapshot_request *request, int connection);
int vms_adjust(const struct adjust_request *request, int connection);
void vms_report_ready(uint32_t slot);
void vms_reap(void);
/* A VM's memory ran out, or its cgroup is gone. */
void vms_memory_event(uint32_t slot);
void vms_clean(uint64_t now);
uint32_t vms_count(void);
bool vms_cleaning(void);
/* Ids of the VMs alive, one call each. */
void vms_each(void (*visit)(const char *id, void *context), void *context);
/* watchers.c */
void watchers_start(void);
/* True: the connection is kept. */
bool watchers_add(int fd, bool memory);
void watchers_event(uint32_t index, uint32_t events);
void watchers_gone(const char *id);
/* Only to those that asked for it, and only where there is room. */
void watchers_memory(const char *id);

/* memory-watch.c: a descriptor that can be read when the kernel looks for something to kill in one
   of these cgroups; -1 where none of them says so (v2 tells of it by memory.events). */
int memory_watch(const char *cgroups, uint32_t length);

/* cgroup-join.c */
/* fork, with the child in the request's unified cgroup: *joined says whether it is. */
pid_t fork_into_cgroup(const struct create_request *request, bool *joined);
/* The caller, which has one thread, joins the others: 0, or an errno. */
int join_cgroups(const struct create_request *request, bool unified_joined);

/* launcher.c */
_Noreturn void launcher_run(const struct create_request *request, bool unified_joined,
                            int connection, int listen_fd, int report_fd);
pid_t clone_namespaces(void);
int write_id_maps(pid_t pid, uint32_t host_uid, uint32_t host_gid, const char **step);
/* In PID 1: waits until the maps are there, then takes the guest's ids. */
int become_guest(int sync_fd, bool change_ids, const char **step);

/* hostmount.c */
enum source_kind { SOURCE_READ_ONLY = 0, SOURCE_READ_WRITE = 1, SOURCE_SYSTEM = 2, SOURCE_LAYER = 3 };
/* The tree at path, cloned and restricted: a descriptor, or -1 with errno and *step. */
int open_source(const char *path, enum source_kind kind, bool map_owner, uint32_t host_uid,
                uint32_t host_gid, const char **step);
/* The same by the launcher's hand; from PID 1. */
int request_source(int mount_fd, const char *path, enum source_kind kind, bool map_owner,
                   const char **step);
/* The launcher's side: answers until PID 1 closes. */
void serve_sources(int fd, uint32_t host_uid, uint32_t host_gid);

/* config.c */
struct config {
  const uint8_t *payload; /* of the frame parsed last */
  size_t length;
  uint64_t seen; /* one bit per tag */
  char hostname[65];
  struct disk disk;
  uint64_t root_bytes, root_inodes, disk_bytes, disk_inodes, shm_bytes, open_files, pids, watches;
  uint32_t profile, processors;
};
/* One of the repeated fields. What a tag has no use for stays empty. */
struct entry {
  char source[PATH_BYTES]; /* host path, or a link's content */
  char target[PATH_BYTES]; /* path in the VM */
  uint8_t kind, flags;     /* mounts */
  uint64_t bytes;          /* memory mounts */
  uint32_t mode;           /* files */
  const uint8_t *content;
  size_t content_length;
};
void disk_default_parts(struct disk *disk);
bool disk_add_part(struct disk *disk, const char *path);
/* Checks every field: 0, or an errno with the field's name in *step. */
int config_parse(const uint8_t *payload, size_t length, struct config *config, const char **step);
/* The same, but adds to what another frame said, and may leave fields out. */
int config_parse_part(const uint8_t *payload, size_t length, struct config *config,
                      const char **step);
bool config_has(const struct config *config, int first_tag, int last_tag);
/* Calls `visit` for every entry with this tag, in order, until one returns an errno. */
int config_each(const struct config *config, uint16_t tag,
                int (*visit)(const struct entry *entry, void *context), void *context);

/* place.c: the new root. Each returns a descriptor, or -1 with errno. */
int new_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode);
/* Of the tmpfs that is mounted at `path` below `directory`: 0, or -1 with errno. */
int resize_tmpfs(int directory, const char *path, uint64_t bytes, uint64_t inodes);
int new_proc(void);
int new_devpts(void);
/* Paths below `root`; directories that don't exist are made, links are never followed. */
int place_directory(int root, const char *path);
int place_file(int root, const char *path);
int place_parent(int root, const char *path, const char **name);
/* Mounts `tree` on the file or directory at path and closes it: 0, or an errno. */
int attach(int root, const char *path, int tree);

/* disk.c: each is 0 or a descriptor, or -1 with errno. */
/* Where the raw tree goes, below `root`. */
int disk_place(int root);
int disk_open(int root);
int disk_attach(int root, int raw);
/* The directories of a generation. */
int disk_make(int raw, const struct disk *disk);
/* Index 0 is the topmost. */
int disk_add_layer(int raw, const struct disk *disk, uint32_t index, int tree);
int disk_overlay(int raw, const struct disk *disk, uint32_t layers);
/* Mounts each part in its place: of the overlay, or of the upper directory itself. */
int disk_bind(int root, int raw, const struct disk *disk, bool merged, const char **failed);

/* adjust.c */
int adjust_parse(const uint8_t *payload, size_t length, struct adjust_request *request,
                 const char **step);
/* As a process of its own: answers on `connection`, and ends. */
_Noreturn void adjust_run(const struct adjust_request *request, int user_namespace,
                          int mount_namespace, int connection);

/* keeper.c, keeper-fetch.c */
struct copied {
  int32_t error;
  uint64_t bytes, files;
};
_Noreturn void keeper_run(const struct snapshot_request *request, int user_namespace,
                          int mount_namespace, int connection);
/* The layer that a keeper holds, as a tree: a descriptor, or -1 with errno. */
int keeper_fetch(const char *socket_path);

/* layer-copy.c: puts a layer on top of what is in `to` already: 0, or an errno. */
int layer_copy(int from, int to, struct copied *copied);

/* seal.c */
/* What needs no configuration and takes nothing from what is still to be done. */
int seal_early(const char **step);
int seal(const struct config *config, const char **step);

/* landlock.c: what the kernel has of it, as WALL_ bits. Only after no_new_privs, before the filter. */
uint32_t landlock_install(void);
/* Of the user namespace that the caller is in, whichever /proc says it: nobody in it may raise it. 0 leaves it; an errno, or 0. */
int limit_watches(uint64_t watches);

/* seccomp.c */
void seccomp_prepare(void);
int seccomp_install(uint32_t profile);

/* probe.c */
int probe_run(void);

#endif
