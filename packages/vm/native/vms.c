/* The spawner's table of VMs: from CREATE to the last cgroup directory removed. */
#include "frame.h"
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A bomb runs out of memory thousands of times a second. */
enum { MAX_VMS = 4096, CLEAN_MS = 2000, VM_BACKLOG = 64, MEMORY_TOLD_MS = 500 };

enum vm_state { FREE = 0, LAUNCHING, ALIVE, CLEANING };

struct vm {
  enum vm_state state;
  pid_t launcher, init; /* 0: none, or reaped */
  int report, memory, namespaces[2]; /* -1: none */
  bool kill_wanted;
  uint64_t deadline, memory_told;
  char id[ID_MAX_BYTES + 1];
};

struct paths {
  char socket[sizeof((struct create_spec *)0)->socket_path];
  uint32_t cgroups_length;
  char cgroups[CGROUPS_BYTES];
};

/* Both in memory that fork doesn't copy: no PID 1 holds what we know of other VMs. */
static struct vm *vms;
static struct paths *paths;
static uint32_t used; /* slots below may be in use */
static uint32_t count, launching, cleaning;

void vms_start(void) {
  vms = private_memory(MAX_VMS * sizeof *vms);
  paths = private_memory(MAX_VMS * sizeof *paths);
}

uint32_t vms_count(void) { return count; }
bool vms_cleaning(void) { return cleaning > 0; }

static struct vm *find_id(const char *id) {
  for (uint32_t i = 0; i < used; i++)
    if (vms[i].state != FREE && strcmp(vms[i].id, id) == 0) return &vms[i];
  return NULL;
}

static struct vm *free_slot(void) {
  for (uint32_t i = 0; i < used; i++)
    if (vms[i].state == FREE) return &vms[i];
  return used < MAX_VMS ? &vms[used++] : NULL;
}

static void begin_cleaning(struct vm *vm) {
  if (vm->report >= 0) close(vm->report);
  vm->report = -1;
  if (vm->memory >= 0) close(vm->memory);
  vm->memory = -1;
  for (int i = 0; i < 2; i++) {
    if (vm->namespaces[i] >= 0) close(vm->namespaces[i]);
    vm->namespaces[i] = -1;
  }
  if (vm->state == LAUNCHING) launching--;
  vm->state = CLEANING;
  cleaning++;
  vm->deadline = now_ms() + CLEAN_MS;
  const char *path = paths[vm - vms].socket;
  if (unlink(path) != 0 && errno != ENOENT) report_failure("unlink", errno, vm->id);
}

void vms_create(const struct create_request *request, int connection) {
  const struct create_spec *spec = &request->spec;
  const char *step = "vmId";
  int error = EEXIST, listener = -1, report[2] = {-1, -1};
  struct vm *vm = NULL;
  if (find_id(spec->vm_id) != NULL) goto fail;
  step = "vms";
  error = EAGAIN;
  if ((vm = free_slot()) == NULL) goto fail;
  uint32_t slot = (uint32_t)(vm - vms);
  step = "socketPath";
  listener = listen_unix(spec->socket_path, VM_BACKLOG);
  if (listener < 0) goto fail_errno;
  step = "report";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, report) != 0)
    goto fail_errno;
  if (spawner_poll(report[0], EPOLLIN, ON_REPORT, slot) != 0) goto fail_errno;
  step = "fork";
  bool joined;
  pid_t launcher = fork_into_cgroup(request, &joined);
  if (launcher < 0) goto fail_errno;
  if (launcher == 0) launcher_run(request, joined, connection, listener, report[1]);
  close(listener);
  close(report[1]);
  *vm = (struct vm){.state = LAUNCHING, .launcher = launcher, .report = report[0], .memory = -1,
                    .namespaces = {-1, -1}};
  memcpy(vm->id, spec->vm_id, sizeof vm->id);
  memcpy(paths[slot].socket, spec->socket_path, sizeof spec->socket_path);
  memcpy(paths[slot].cgroups, request->cgroups, request->cgroups_length);
  paths[slot].cgroups_length = request->cgroups_length;
  count++;
  launching++;
  return;

fail_errno:
  error = errno;
fail:
  if (listener >= 0) {
    close(listener);
    unlink(spec->socket_path);
  }
  if (report[0] >= 0) {
    close(report[0]);
    close(report[1]);
  }
  report_failure(step, error, spec->vm_id);
  frame_send_fail(connection, 0, error, step);
}

static void watch_memory(struct vm *vm) {
  const struct paths *p = &paths[vm - vms];
  vm->memory = memory_watch(p->cgroups, p->cgroups_length);
  if (vm->memory < 0 || spawner_poll(vm->memory, EPOLLIN, ON_MEMORY, (uint32_t)(vm - vms)) == 0) return;
  close(vm->memory);
  vm->memory = -1;
}

/* Told at most once in a while: who is told looks again after a second. */
void vms_memory_event(uint32_t slot) {
  struct vm *vm = &vms[slot];
  uint64_t times, now = now_ms();
  if (vm->state != ALIVE || vm->memory < 0 ||
      read(vm->memory, &times, sizeof times) != (ssize_t)sizeof times)
    return;
  if (vm->memory_told != 0 && now - vm->memory_told < MEMORY_TOLD_MS) return;
  vm->memory_told = now;
  watchers_memory(vm->id);
}

/* The pid and the namespaces: as recv says. */
static ssize_t receive_report(struct vm *vm, uint32_t *pid) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof vm->namespaces)];
  } control;
  struct iovec part = {pid, sizeof *pid};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t n = recvmsg(vm->report, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof vm->namespaces))
    memcpy(vm->namespaces, CMSG_DATA(header), sizeof vm->namespaces);
  return n;
}

/* The launcher writes the pid before it releases PID 1, so a VM that runs is always known here. */
void vms_report_ready(uint32_t slot) {
  struct vm *vm = &vms[slot];
  if (vm->state != LAUNCHING || vm->report < 0) return;
  uint32_t pid;
  ssize_t n = receive_report(vm, &pid);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n != (ssize_t)sizeof pid) {
    begin_cleaning(vm);
    return;
  }
  close(vm->report);
  vm->report = -1;
  launching--;
  vm->state = ALIVE;
  vm->init = (pid_t)pid;
  watch_memory(vm);
  if (vm->kill_wanted) kill(vm->init, SIGKILL);
}

/* Forks for work in a live VM, whose namespaces are told: the table isn't there in the fork. */
static int fork_for(const char *vm_id, int *user, int *mount, pid_t *pid) {
  const struct vm *vm = find_id(vm_id);
  if (vm == NULL || vm->state != ALIVE || vm->kill_wanted) return ESRCH;
  *user = vm->namespaces[0];
  *mount = vm->namespaces[1];
  if (*user < 0 || *mount < 0) return ENOTSUP;
  *pid = fork();
  return *pid < 0 ? errno : 0;
}

int vms_snapshot(const struct snapshot_request *request, int connection) {
  int user, mount;
  pid_t pid;
  int error = fork_for(request->vm_id, &user, &mount, &pid);
  if (error == 0 && pid == 0) keeper_run(request, user, mount, connection);
  return error;
}

int vms_adjust(const struct adjust_request *request, int connection) {
  int user, mount;
  pid_t pid;
  int error = fork_for(request->vm_id, &user, &mount, &pid);
  if (error == 0 && pid == 0) adjust_run(request, user, mount, connection);
  return error;
}

static void end_vm(struct vm *vm) {
  vm->kill_wanted = true;
  /* Not reaped yet, so these numbers can't belong to other processes. */
  if (vm->state == ALIVE && vm->init > 0) kill(vm->init, SIGKILL);
  if (vm->launcher > 0) kill(vm->launcher, SIGKILL);
}

int vms_kill(const char *id) {
  struct vm *vm = find_id(id);
  if (vm == NULL) return ESRCH;
  end_vm(vm);
  return 0;
}

void vms_kill_all(void) {
  for (uint32_t i = 0; i < used; i++)
    if (vms[i].state != FREE) end_vm(&vms[i]);
}

static bool reaped(pid_t pid) {
  for (uint32_t i = 0; i < used; i++) {
    struct vm *vm = &vms[i];
    if (vm->state == FREE) continue;
    if (vm->launcher == pid) {
      vm->launcher = 0;
      return true;
    }
    if (vm->state == ALIVE && vm->init == pid) {
      vm->init = 0;
      begin_cleaning(vm);
      return true;
    }
  }
  return false;
}

void vms_reap(void) {
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
    if (reaped(pid) || launching == 0) continue;
    /* Its report may lie unread in the pipe. */
    for (uint32_t i = 0; i < used; i++) vms_report_ready(i);
    reaped(pid);
  }
}

/* True when none is left; removed ones are taken off the list. */
static bool remove_cgroups(struct paths *p, int *error) {
  uint32_t kept = 0;
  for (uint32_t at = 0; at < p->cgroups_length;) {
    const char *path = p->cgroups + at;
    uint32_t size = (uint32_t)strlen(path) + 1;
    at += size;
    if (rmdir(path) == 0 || errno == ENOENT) continue;
    *error = errno;
    memmove(p->cgroups + kept, path, size);
    kept += size;
  }
  p->cgroups_length = kept;
  return kept == 0;
}

void vms_clean(uint64_t now) {
  for (uint32_t i = 0; i < used && cleaning > 0; i++) {
    struct vm *vm = &vms[i];
    if (vm->state != CLEANING) continue;
    int error = 0;
    if (!remove_cgroups(&paths[i], &error)) {
      if (error == EBUSY && now < vm->deadline) continue;
      report_failure("cgroup-remove", error, vm->id);
    }
    char id[ID_MAX_BYTES + 1];
    memcpy(id, vm->id, sizeof id);
    /* A launcher that is still ending is reaped without a slot. */
    vm->state = FREE;
    cleaning--;
    count--;
    watchers_gone(id);
  }
  while (used > 0 && vms[used - 1].state == FREE) used--;
}

void vms_each(void (*visit)(const char *id, void *context), void *context) {
  for (uint32_t i = 0; i < used; i++)
    if (vms[i].state == LAUNCHING || vms[i].state == ALIVE) visit(vms[i].id, context);
}
