/*
 * The adjuster: one fork of the spawner per change of what a VM was started with. It enters the VM's
 * namespaces, which nobody in the VM can change any more.
 */
#include "frame.h"
#include "host.h"
#include "kernel.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool parse_field(const struct field *field, struct adjust_request *request, const char **step) {
  switch (field->tag) {
    case F_VM_ID:
      *step = "vmId";
      return field_string(field, request->vm_id, sizeof request->vm_id) && valid_id(request->vm_id);
    case F_DISK_BYTES:
      *step = "diskBytes";
      return field_u64(field, &request->disk_bytes);
    case F_DISK_INODES:
      *step = "diskInodes";
      return field_u64(field, &request->disk_inodes);
    case F_WATCHES:
      *step = "watches";
      return field_u64(field, &request->watches);
    default:
      *step = "tag";
      return false;
  }
}

int adjust_parse(const uint8_t *payload, size_t length, struct adjust_request *request,
                 const char **step) {
  struct field_reader reader;
  struct field field;
  int more;
  memset(request, 0, sizeof *request);
  fields_begin(&reader, payload, length);
  while ((more = fields_next(&reader, &field)) == 1)
    if (!parse_field(&field, request, step)) return EINVAL;
  *step = "adjust";
  bool has_disk = request->disk_bytes != 0;
  return more == 0 && request->vm_id[0] != 0 && has_disk == (request->disk_inodes != 0) ? 0 : EINVAL;
}

static int set_disk(const struct adjust_request *request) {
  if (request->disk_bytes == 0) return 0;
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return errno;
  int result = resize_tmpfs(root, "dev/.vm/disk", request->disk_bytes, request->disk_inodes);
  int error = result == 0 ? 0 : errno;
  close(root);
  return error;
}

static int adjust(const struct adjust_request *request, int user, int mount, const char **step) {
  bool was_root = geteuid() == 0;
  *step = "enter";
  if (was_root && setgroups(0, NULL) != 0) return errno;
  if (setns(user, CLONE_NEWUSER) != 0) return errno;
  *step = "watches";
  int error = limit_watches(request->watches);
  if (error) return error;
  *step = "enter";
  if (setns(mount, CLONE_NEWNS) != 0) return errno;
  if (setresgid(GUEST_ID, GUEST_ID, GUEST_ID) != 0 || setresuid(GUEST_ID, GUEST_ID, GUEST_ID) != 0)
    return errno;
  *step = "diskBytes";
  return set_disk(request);
}

_Noreturn void adjust_run(const struct adjust_request *request, int user_namespace,
                          int mount_namespace, int connection) {
  const char *step;
  prctl(PR_SET_NAME, "vmd");
  int error = adjust(request, user_namespace, mount_namespace, &step);
  if (error) frame_send_fail(connection, 0, error, step);
  else frame_send(connection, K_ADJUSTED, 0, 0, NULL, 0);
  _exit(error ? 1 : 0);
}
