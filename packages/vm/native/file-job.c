#include "agent.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16

static uint32_t jobs;

static _Noreturn void run_job(const struct file_request *request) {
  /* A copy of the descriptors would keep other processes' pipes open. */
  close_range(3, ~0u, 0);
  int error = request->op == OP_RM ? tree_remove(request->path)
                                   : tree_copy(request->path, request->path2, request->flags);
  /* Every errno fits in an exit status. */
  _exit(error > 255 ? EIO : error);
}

void file_job_start(uint32_t stream, const struct file_request *request) {
  if (jobs >= JOBS_MAX) {
    link_fail(stream, EAGAIN, "jobs");
    return;
  }
  struct file_stream *file = file_slot(stream, request->op);
  if (file == NULL) return;
  pid_t pid = fork();
  if (pid == 0) run_job(request);
  if (pid < 0) {
    file_fail(file, errno, "fork");
    return;
  }
  file->job = pid;
  jobs++;
}

void file_job_cancel(struct file_stream *file) { kill(file->job, SIGKILL); }

bool file_job_reap(pid_t pid, int status) {
  struct file_stream *file = file_of_job(pid);
  if (file == NULL) return false;
  jobs--;
  file->job = 0;
  int error = WIFSIGNALED(status) ? ECANCELED : WEXITSTATUS(status);
  if (file->stream != 0 && error != 0) link_fail(file->stream, error, file->op == OP_RM ? "rm" : "copy");
  else if (file->stream != 0) link_control(K_FILE_RESULT, file->stream, 0, NULL, 0);
  file_close(file);
  return true;
}
