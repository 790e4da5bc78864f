/* CREATE: parsing, and the VM's adoption socket. */
#include "frame.h"
#include "host.h"
#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool add_cgroup(struct create_request *request, const struct field *field, uint32_t *count) {
  uint32_t at = request->cgroups_length;
  if (++*count > CGROUPS_MAX) return false;
  if (!field_string(field, request->cgroups + at, CGROUPS_BYTES - at)) return false;
  if (!valid_path(request->cgroups + at)) return false;
  request->cgroups_length = at + field->length + 1;
  return true;
}

static bool parse_field(const struct field *field, struct create_request *request,
                        uint32_t *cgroups, const char **step) {
  struct create_spec *spec = &request->spec;
  switch (field->tag) {
    case F_VM_ID:
      *step = "vmId";
      return field_string(field, spec->vm_id, sizeof spec->vm_id) && valid_id(spec->vm_id);
    case F_SECRET:
      *step = "secret";
      if (field->length != SECRET_BYTES) return false;
      memcpy(spec->secret, field->value, SECRET_BYTES);
      return true;
    case F_EPOCH:
      *step = "epoch";
      return field_u64(field, &spec->epoch);
    case F_SOCKET_PATH:
      *step = "socketPath";
      return field_string(field, spec->socket_path, sizeof spec->socket_path) &&
             valid_path(spec->socket_path);
    case F_HOST_UID:
      *step = "hostUid";
      return field_u32(field, &spec->host_uid) && spec->host_uid != UINT32_MAX;
    case F_HOST_GID:
      *step = "hostGid";
      return field_u32(field, &spec->host_gid) && spec->host_gid != UINT32_MAX;
    case F_ADOPT_GRACE_MS:
      *step = "adoptGraceMs";
      return field_u32(field, &spec->adopt_grace_ms);
    case F_CGROUP:
      *step = "cgroup";
      return add_cgroup(request, field, cgroups);
    default:
      *step = "field";
      return false;
  }
}

int create_parse(const uint8_t *payload, size_t length, struct create_request *request,
                 const char **step) {
  memset(request, 0, sizeof *request);
  struct field_reader reader;
  struct field field;
  uint32_t seen = 0, cgroups = 0;
  int more;
  fields_begin(&reader, payload, length);
  while ((more = fields_next(&reader, &field)) == 1) {
    if (!parse_field(&field, request, &cgroups, step)) return EINVAL;
    if (field.tag != F_CGROUP && (seen & (1u << field.tag))) return EINVAL;
    seen |= 1u << field.tag;
  }
  *step = "create";
  uint32_t required = 1u << F_VM_ID | 1u << F_SECRET | 1u << F_EPOCH | 1u << F_SOCKET_PATH |
                      1u << F_ADOPT_GRACE_MS;
  uint32_t ids = 1u << F_HOST_UID | 1u << F_HOST_GID;
  if (more != 0 || (seen & required) != required) return EINVAL;
  *step = "host-ids";
  if (geteuid() == 0) {
    if ((seen & ids) != ids) return EINVAL;
    if (request->spec.host_uid == 0 || request->spec.host_gid == 0) return EPERM;
  } else if (seen & ids) {
    return EPERM;
  }
  return 0;
}

static bool parse_snapshot_field(const struct field *field, struct snapshot_request *request,
                                 const char **step) {
  char part[PART_BYTES];
  switch (field->tag) {
    case F_VM_ID:
      *step = "vmId";
      return field_string(field, request->vm_id, sizeof request->vm_id) && valid_id(request->vm_id);
    case F_SOCKET_PATH:
      *step = "socketPath";
      return field_string(field, request->socket_path, sizeof request->socket_path) &&
             valid_path(request->socket_path);
    case F_COPY_TO:
      *step = "copyTo";
      return field_string(field, request->copy_to, sizeof request->copy_to) &&
             valid_path(request->copy_to);
    case F_SNAPSHOT_FLAGS:
      *step = "flags";
      return field_u32(field, &request->flags);
    case F_GENERATION:
      *step = "generation";
      return field_u32(field, &request->disk.generation);
    case F_PART:
      *step = "part";
      return field_string(field, part, sizeof part) && disk_add_part(&request->disk, part);
    default:
      *step = "field";
      return false;
  }
}

int snapshot_parse(const uint8_t *payload, size_t length, struct snapshot_request *request,
                   const char **step) {
  memset(request, 0, sizeof *request);
  struct field_reader reader;
  struct field field;
  int more;
  fields_begin(&reader, payload, length);
  while ((more = fields_next(&reader, &field)) == 1)
    if (!parse_snapshot_field(&field, request, step)) return EINVAL;
  *step = "snapshot";
  if (more != 0 || request->vm_id[0] == 0 || request->copy_to[0] == 0) return EINVAL;
  if (request->disk.parts == 0) disk_default_parts(&request->disk);
  return 0;
}

int listen_unix(const char *path, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, length + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  mode_t old = umask(0177);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(old);
  if (bound == 0) {
    if (listen(fd, backlog) == 0) return fd;
    error = errno;
    unlink(path);
  }
  close(fd);
  errno = error;
  return -1;
}
