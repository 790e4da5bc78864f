/* What the parts of vmd share. The link's words are explained in docs/vmd-link.md. */
#ifndef VMD_H
#define VMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINK_VERSION 3u
#define FRAME_HEADER_BYTES 17u
#define FRAME_MAX_PAYLOAD (1024u * 1024u)
#define SECRET_BYTES 32u
#define ID_MAX_BYTES 64u
#define SOCKET_PATH_BYTES 108u
/* Where the VM's programs find the doors at a path; read-only for them. */
#define DOORS_PATH "/run/agentos"

/* link.h has the frame kinds and field tags, frame.c the encoding. */

/* What CREATE says, parsed. Strings point into memory that lives as long as the process. */
struct create_spec {
  char vm_id[ID_MAX_BYTES + 1];
  uint8_t secret[SECRET_BYTES];
  uint64_t epoch;
  char socket_path[108];
  uint32_t host_uid, host_gid; /* 0: the caller's own */
  uint32_t adopt_grace_ms;
};

/*
 * Runs in PID 1, in the new namespaces, before any guest code. Builds the root that the CONFIG
 * payload describes, pivots, drops every privilege and installs the filter. mount_fd is a socket to
 * the launcher, which opens host directories (open_tree) on request when it is root, else -1.
 * Returns 0, or an errno with *step naming what failed.
 */
int sandbox_enter(const uint8_t *config, size_t length, int mount_fd, const char **step);

/*
 * The same as far as it can go without knowing for whom: what the payload describes is built and
 * waits. The CONFIG that follows says the rest.
 */
int sandbox_prepare(const uint8_t *config, size_t length, int mount_fd, const char **step);

/* Which of the walls that not every kernel has are up, as READY says it. */
#define WALL_LANDLOCK 1u
#define WALL_LANDLOCK_SCOPES 2u
uint32_t sandbox_walls(void);

/* The same directory, to be written: of PID 1 alone. -1: there is none. */
int sandbox_doors(void);

/*
 * PID 1's main loop from CREATE on: waits for CONFIG on `link`, calls sandbox_enter, then serves
 * until the VM ends. Never returns. listen_fd is the adoption socket, already listening. The two
 * callers' descriptors and stdio on /dev/null are the only ones open.
 */
_Noreturn void agent_main(const struct create_spec *spec, int link, int listen_fd, int mount_fd);

#endif
