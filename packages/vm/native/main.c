/* vmd: the roles of docs/vmd-link.md. */
#include "host.h"
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

void report_failure(const char *step, int error, const char *vm_id) {
  /* A sidecar that doesn't read its end of stderr must not stop the spawner. */
  struct pollfd p = {.fd = 2, .events = POLLOUT};
  if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) return;
  char line[256];
  const char *name = strerrorname_np(error);
  int n = snprintf(line, sizeof line, "{\"step\":\"%s\",\"errno\":\"%s\"%s%s%s}\n", step,
                   name ? name : "UNKNOWN", vm_id ? ",\"vmId\":\"" : "", vm_id ? vm_id : "",
                   vm_id ? "\"" : "");
  if (n > 0 && (size_t)n < sizeof line && write(2, line, (size_t)n) < 0) return;
}

/*
 * PID 1 of a VM is a clone of this process, and /proc/1/cmdline in the VM shows the memory that
 * holds our arguments: nothing of the host may stay there.
 */
static void hide_arguments(int argc, char **argv) {
  char *start = argv[0];
  char *end = start;
  for (int i = 0; i < argc; i++)
    if (argv[i] == end) end += strlen(argv[i]) + 1;
  for (char **e = environ; *e != NULL; e++)
    if (*e == end) end += strlen(*e) + 1;
  memset(start, 0, (size_t)(end - start));
  if (end - start > 3) memcpy(start, "vmd", 3);
  static char *nothing[] = {NULL};
  environ = nothing;
  prctl(PR_SET_NAME, "vmd");
}

static bool is_named(const char *path, const char *name) {
  const char *last = strrchr(path, '/');
  return strcmp(last == NULL ? path : last + 1, name) == 0;
}

int main(int argc, char **argv) {
  if (argc > 0 && is_named(argv[0], "agentos-tool")) return tool_main(argc, argv);
  if (argc == 2 && strcmp(argv[1], "version") == 0) {
#if defined(__x86_64__)
    const char *arch = "x64";
#elif defined(__aarch64__)
    const char *arch = "arm64";
#else
#error "vmd is built for x86_64 and aarch64"
#endif
    printf("{\"link\":%u,\"arch\":\"%s\"}\n", LINK_VERSION, arch);
    return fflush(stdout) == 0 ? 0 : 1;
  }
  if (argc == 2 && strcmp(argv[1], "probe") == 0) return probe_run();
  if (argc == 3 && strcmp(argv[1], "spawner") == 0) {
    static char socket_path[108];
    if (strlen(argv[2]) >= sizeof socket_path || !valid_path(argv[2])) {
      report_failure("socket-path", EINVAL, NULL);
      return 2;
    }
    strcpy(socket_path, argv[2]);
    hide_arguments(argc, argv);
    return spawner_run(socket_path);
  }
  static const char usage[] = "usage: vmd spawner SOCKET | vmd probe | vmd version\n";
  if (write(2, usage, sizeof usage - 1) < 0) return 2;
  return 2;
}
