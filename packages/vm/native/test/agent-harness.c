/*
 * The agent on the bare host, for tests: `agent-harness SOCKET EPOCH SECRET_BYTE GRACE_MS [ROOT]` with
 * the link on fd 3. Nothing is isolated, but for ROOT (for root only): a directory to be locked into
 * as nobody with a loopback of its own, for requests made at random. A CONFIG with a payload fails
 * with EXDEV. Doors at a path are in SOCKET's folder.
 */
#define _GNU_SOURCE
#include "../vmd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int sandbox_enter(const uint8_t *config, size_t length, int mount_fd, const char **step) {
  (void)config;
  (void)mount_fd;
  *step = "stub";
  return length == 0 ? 0 : EXDEV;
}

static int doors_fd = -1;

int sandbox_doors(void) { return doors_fd; }

uint32_t sandbox_walls(void) { return 0; }

int sandbox_prepare(const uint8_t *config, size_t length, int mount_fd, const char **step) {
  return sandbox_enter(config, length, mount_fd, step);
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) return -1;
  return fd;
}

static bool own_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
  bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (fd >= 0) close(fd);
  return done;
}

static bool lock_in(const char *root) {
  return own_loopback() && chroot(root) == 0 && chdir("/") == 0 && setgroups(0, NULL) == 0 &&
         setgid(65534) == 0 && setuid(65534) == 0;
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 6) return 2;
  struct create_spec spec = {.vm_id = "test"};
  spec.epoch = strtoull(argv[2], NULL, 10);
  memset(spec.secret, atoi(argv[3]), sizeof spec.secret);
  spec.adopt_grace_ms = (uint32_t)strtoul(argv[4], NULL, 10);
  int listen_fd = listen_at(argv[1]);
  if (listen_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return 3;
  doors_fd = open(dirname(argv[1]), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (argc == 6 && !lock_in(argv[5])) return 4;
  agent_main(&spec, 3, listen_fd, -1);
}
