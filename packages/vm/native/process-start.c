#include "agent.h"
#include "builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int null_fd = -1;

/* The child of vfork shares this memory: that is how it says why it could not start. */
static struct {
  volatile int error;
  const char *volatile step;
} failure;

void process_start_begin(void) {
  if (null_fd < 0) null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static const char *find_path(char **env) {
  for (; *env != NULL; env++)
    if (strncmp(*env, "PATH=", 5) == 0) return *env + 5;
  return NULL;
}

/* Like execvpe, but in the PATH of the request. Returns the errno. */
static int execute(const struct exec_request *request) {
  static char candidate[4096];
  const char *name = request->args[0];
  size_t length = strlen(name);
  if (strchr(name, '/') != NULL) {
    execve(name, request->args, request->env);
    return errno;
  }
  int denied = 0;
  const char *path = length > 0 ? find_path(request->env) : NULL;
  while (path != NULL) {
    const char *end = strchrnul(path, ':');
    size_t prefix = (size_t)(end - path);
    if (prefix + length + 2 <= sizeof candidate) {
      memcpy(candidate, path, prefix);
      if (prefix > 0) candidate[prefix++] = '/';
      memcpy(candidate + prefix, name, length + 1);
      execve(candidate, request->args, request->env);
      if (errno == EACCES) denied = EACCES;
      else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG) return errno;
    }
    path = *end ? end + 1 : NULL;
  }
  return denied ? denied : ENOENT;
}

/* No sanitizer: frames of a vfork child that ends in exec are never left. */
__attribute__((noinline, no_sanitize("address"))) static _Noreturn void child(
    const struct exec_request *request, const int stdio[3]) {
  setsid();
  bool connected = true;
  for (int fd = 0; fd < 3 && connected; fd++) connected = dup2(stdio[fd], fd) >= 0;
  if (connected && (request->flags & EXEC_TERMINAL)) connected = ioctl(0, TIOCSCTTY, 0) >= 0;
  if (!connected) {
    failure.error = errno;
    failure.step = request->flags & EXEC_TERMINAL ? "terminal" : "pipe";
    _exit(127);
  }
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(SIGPIPE, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (chdir(request->cwd) < 0) {
    failure.error = errno;
    failure.step = "cwd";
    _exit(127);
  }
  failure.error = execute(request);
  failure.step = "exec";
  _exit(127);
}

__attribute__((noinline)) static pid_t start_child(const struct exec_request *request, const int stdio[3]) {
  pid_t pid = vfork();
  if (pid == 0) child(request, stdio);
  return pid;
}

/* No program: a copy of this one, which has no descriptor but its stdio. */
static pid_t start_builtin(const struct exec_request *request, const int stdio[3]) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  for (int fd = 0; fd < 3; fd++)
    if (dup2(stdio[fd], fd) < 0) _exit(127);
  close_range(3, ~0u, 0);
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(SIGPIPE, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  builtin_job(request->args);
}

static void close_all(const int *fds, int count) {
  for (int i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

/* Non-blocking on our end only: the two ends are separate open files. */
static int make_pipe(int *ours, int *theirs, bool to_child, enum watched what, uint32_t index) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  *ours = ends[to_child ? 1 : 0];
  *theirs = ends[to_child ? 0 : 1];
  if (fcntl(*ours, F_SETFL, O_NONBLOCK | (to_child ? O_WRONLY : O_RDONLY)) < 0) return errno;
  return agent_watch(*ours, (to_child ? EPOLLOUT : EPOLLIN) | EPOLLET, what, index);
}

/* The ends of the child's stdio: pipes, or one terminal. 0, or an errno with the step. */
static int make_stdio(uint32_t index, const struct exec_request *request, int ours[3], int theirs[3],
                      const char **step) {
  if (request->flags & EXEC_TERMINAL) {
    *step = "terminal";
    int error = terminal_open(&ours[1], &theirs[1], request);
    return error ? error : agent_watch(ours[1], EPOLLIN | EPOLLOUT | EPOLLET, WATCH_TERMINAL, index);
  }
  *step = "pipe";
  bool piped = request->flags & EXEC_STDIN_PIPE;
  int error = piped ? make_pipe(&ours[0], &theirs[0], true, WATCH_IN, index) : 0;
  if (error == 0) error = make_pipe(&ours[1], &theirs[1], false, WATCH_OUT, index);
  return error ? error : make_pipe(&ours[2], &theirs[2], false, WATCH_ERR, index);
}

static int run_child(struct process *process, const struct exec_request *request, const int theirs[3],
                     const char **step) {
  int input = null_fd < 0 ? 0 : null_fd;
  if (request->flags & EXEC_STDIN_PIPE) input = theirs[0];
  bool terminal = request->flags & EXEC_TERMINAL;
  int stdio[3] = {terminal ? theirs[1] : input, theirs[1], terminal ? theirs[1] : theirs[2]};
  failure.error = 0;
  process->pid = request->flags & EXEC_BUILTIN ? start_builtin(request, stdio) : start_child(request, stdio);
  if (process->pid < 0) {
    *step = "fork";
    return errno;
  }
  /* The child that never was is reaped with the orphans. */
  if (failure.error != 0) *step = failure.step;
  return failure.error;
}

int process_start(struct process *process, const struct exec_request *request, const char **step) {
  int ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1};
  int error = make_stdio(process_index(process), request, ours, theirs, step);
  if (error == 0) error = run_child(process, request, theirs, step);
  close_all(theirs, 3);
  if (error != 0) {
    close_all(ours, 3);
    return error;
  }
  process->in.fd = ours[0];
  process->in.writable = true;
  process->out[0].fd = ours[1];
  process->out[1].fd = ours[2];
  return 0;
}
