/* What is given up at the end: names, limits, capabilities, system calls. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOCKED_BYTES = 64 * 1024 };

static int loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int error = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
  close(fd);
  return error;
}

static int lower_limit(__rlimit_resource_t resource, rlim_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return errno;
  if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > value) limit.rlim_max = value;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(resource, &limit) == 0 ? 0 : errno;
}

static int set_limits(const struct config *config) {
  int error = lower_limit(RLIMIT_CORE, 0);
  if (error == 0) error = lower_limit(RLIMIT_MEMLOCK, LOCKED_BYTES);
  if (error == 0 && config->open_files > 0) error = lower_limit(RLIMIT_NOFILE, config->open_files);
  /* Set in here it counts this VM's processes; set before the clone it would count the host's. */
  if (error == 0 && config->pids > 0) error = lower_limit(RLIMIT_NPROC, config->pids);
  return error;
}

/* As many processors as the VM may use, so that programs count right. Which of them is left to chance. */
static int take_processors(uint32_t count) {
  cpu_set_t all, taken;
  uint32_t seen = 0, first = 0;
  if (count == 0 || sched_getaffinity(0, sizeof all, &all) != 0) return 0;
  uint32_t there = (uint32_t)CPU_COUNT(&all);
  if (count >= there) return 0;
  if (getrandom(&first, sizeof first, 0) != sizeof first) return errno;
  CPU_ZERO(&taken);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    if ((seen + there - first % there) % there < count) CPU_SET(cpu, &taken);
    seen++;
  }
  return sched_setaffinity(0, sizeof taken, &taken) == 0 ? 0 : errno;
}

int limit_watches(uint64_t watches) {
  char text[24];
  if (watches == 0) return 0;
  int length = snprintf(text, sizeof text, "%llu", (unsigned long long)watches);
  int fd = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = write(fd, text, (size_t)length) == length ? 0 : errno;
  close(fd);
  return error;
}

static int drop_bounding(void) {
  /* The kernel says where they end, so that one newer than this source is dropped as well. */
  unsigned long capability = 0;
  while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) capability++;
  return errno == EINVAL && capability > 0 ? 0 : errno;
}

static int drop_capabilities(void) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2];
  memset(none, 0, sizeof none);
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

static uint32_t walls;

uint32_t sandbox_walls(void) { return walls; }

int seal_early(const char **step) {
  static bool done;
  if (done) return 0;
  *step = "loopback";
  int error = loopback_up();
  if (error) return error;
  *step = "capabilities";
  error = drop_bounding();
  done = error == 0;
  return error;
}

int seal(const struct config *config, const char **step) {
  int error = seal_early(step);
  if (error) return error;
  *step = "hostname";
  if (sethostname(config->hostname, strlen(config->hostname)) != 0) return errno;
  if (setdomainname("", 0) != 0) return errno;
  *step = "limits";
  error = set_limits(config);
  if (error) return error;
  *step = "processors";
  error = take_processors(config->processors);
  if (error) return error;
  *step = "watches";
  error = limit_watches(config->watches);
  if (error) return error;
  *step = "capabilities";
  error = drop_capabilities();
  if (error) return error;
  *step = "no-new-privileges";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  *step = "dumpable";
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return errno;
  walls = landlock_install();
  *step = "filter";
  return seccomp_install(config->profile);
}
