/* CONFIG: what a VM is built from. */
#include "frame.h"
#include "host.h"
#include "link.h"

#include <errno.h>
#include <stdio.h>

static bool valid_hostname(const char *name) {
  size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
  return n >= 1 && name[n] == 0;
}

static bool take(char *out, const char *bytes, size_t length) {
  if (length >= PATH_BYTES) return false;
  memcpy(out, bytes, length);
  out[length] = 0;
  return true;
}

static const char *const default_parts[] = {"/workspace", "/home/agent", "/var/tmp", "/tmp"};

void disk_default_parts(struct disk *disk) {
  enum { COUNT = sizeof default_parts / sizeof *default_parts };
  disk->parts = COUNT;
  for (uint32_t i = 0; i < COUNT; i++)
    snprintf(disk->part[i], sizeof disk->part[i], "%s", default_parts[i]);
}

bool disk_add_part(struct disk *disk, const char *path) {
  if (disk->parts == PARTS_MAX || strlen(path) >= PART_BYTES || !valid_path(path)) return false;
  snprintf(disk->part[disk->parts++], PART_BYTES, "%s", path);
  return true;
}

static bool parse_entry(const struct field *field, struct entry *entry) {
  const char *first, *second;
  size_t length, skip = field->tag == F_FILE ? 4 : field->tag == F_MOUNT ? 10 : 0;
  if (field->tag == F_LAYER || field->tag == F_DISK)
    return field_string(field, entry->source, sizeof entry->source) && valid_path(entry->source);
  if (!field_pair(field, skip, field->tag == F_FILE, &first, &second, &length)) return false;
  if (field->tag == F_FILE) {
    entry->mode = get_u32(field->value);
    entry->content = (const uint8_t *)second;
    entry->content_length = length;
    /* Set-id bits are refused to guests, so they don't come in this way either. */
    return take(entry->target, first, strlen(first)) && valid_path(entry->target) &&
           (entry->mode & ~01777u) == 0;
  }
  if (!take(entry->source, first, strlen(first)) || !take(entry->target, second, length) ||
      !valid_path(entry->target))
    return false;
  if (field->tag == F_LINK) return entry->source[0] != 0;
  if (field->tag == F_SYSTEM || field->tag == F_COVER) return valid_path(entry->source);
  entry->kind = field->value[0];
  entry->flags = field->value[1];
  entry->bytes = get_u64(field->value + 2);
  if (entry->kind == MOUNT_MEMORY) return entry->flags == 0 && entry->bytes > 0;
  return entry->kind <= MOUNT_HOST_RW && (entry->flags & ~(unsigned)MOUNT_FLAG_MAP_OWNER) == 0 &&
         valid_path(entry->source);
}

/* A tmpfs of size or inodes 0 is one without a limit. */
static bool size_of(const struct field *field, uint64_t *out) {
  return field_u64(field, out) && *out > 0;
}

static bool parse_field(const struct field *field, struct config *config, const char **step) {
  static struct entry entry;
  switch (field->tag) {
    case F_HOSTNAME:
      *step = "hostname";
      return field_string(field, config->hostname, sizeof config->hostname) &&
             valid_hostname(config->hostname);
    case F_ROOT_BYTES: *step = "rootBytes"; return size_of(field, &config->root_bytes);
    case F_ROOT_INODES: *step = "rootInodes"; return size_of(field, &config->root_inodes);
    case F_DISK_BYTES: *step = "diskBytes"; return size_of(field, &config->disk_bytes);
    case F_DISK_INODES: *step = "diskInodes"; return size_of(field, &config->disk_inodes);
    case F_SHM_BYTES: *step = "shmBytes"; return size_of(field, &config->shm_bytes);
    case F_OPEN_FILES: *step = "openFiles"; return field_u64(field, &config->open_files);
    case F_PIDS: *step = "pids"; return field_u64(field, &config->pids);
    case F_PROFILE:
      *step = "profile";
      return field_u32(field, &config->profile) && config->profile <= PROFILE_DEBUG;
    case F_PROCESSORS: *step = "processors"; return field_u32(field, &config->processors);
    case F_WATCHES: *step = "watches"; return field_u64(field, &config->watches);
    case F_COVER: *step = "cover"; return parse_entry(field, &entry);
    case F_SYSTEM: *step = "system"; return parse_entry(field, &entry);
    case F_LINK: *step = "link"; return parse_entry(field, &entry);
    case F_FILE: *step = "file"; return parse_entry(field, &entry);
    case F_MOUNT: *step = "mount"; return parse_entry(field, &entry);
    case F_DISK: *step = "disk"; return parse_entry(field, &entry);
    case F_LAYER: *step = "layer"; return parse_entry(field, &entry);
    case F_GENERATION: *step = "generation"; return field_u32(field, &config->disk.generation);
    case F_PART: {
      char part[PART_BYTES];
      *step = "part";
      return field_string(field, part, sizeof part) && disk_add_part(&config->disk, part);
    }
    default: *step = "field"; return false;
  }
}

static bool repeated(uint16_t tag) {
  return (tag >= F_SYSTEM && tag <= F_MOUNT) || tag == F_LAYER || tag == F_PART || tag == F_COVER;
}

bool config_has(const struct config *config, int first_tag, int last_tag) {
  uint64_t required = 0;
  for (int tag = first_tag; tag <= last_tag; tag++) required |= UINT64_C(1) << tag;
  return (config->seen & required) == required;
}

int config_parse_part(const uint8_t *payload, size_t length, struct config *config,
                      const char **step) {
  config->payload = payload;
  config->length = length;
  struct field_reader reader;
  struct field field;
  int more;
  fields_begin(&reader, payload, length);
  while ((more = fields_next(&reader, &field)) == 1) {
    if (!parse_field(&field, config, step)) return EINVAL;
    uint64_t bit = UINT64_C(1) << field.tag;
    if (!repeated(field.tag) && (config->seen & bit)) return EINVAL;
    config->seen |= bit;
  }
  *step = "config";
  return more == 0 ? 0 : EINVAL;
}

int config_parse(const uint8_t *payload, size_t length, struct config *config, const char **step) {
  *config = (struct config){0};
  int error = config_parse_part(payload, length, config, step);
  if (error) return error;
  return config_has(config, F_HOSTNAME, F_SHM_BYTES) ? 0 : EINVAL;
}

int config_each(const struct config *config, uint16_t tag,
                int (*visit)(const struct entry *entry, void *context), void *context) {
  static struct entry entry;
  struct field_reader reader;
  struct field field;
  fields_begin(&reader, config->payload, config->length);
  while (fields_next(&reader, &field) == 1) {
    if (field.tag != tag) continue;
    if (!parse_entry(&field, &entry)) return EINVAL;
    int error = visit(&entry, context);
    if (error) return error;
  }
  return 0;
}
