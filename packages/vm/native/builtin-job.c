/* The child that packs, unpacks, lists or watches a tree, and what it knows of where it is. */
#include "builtin.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES (TREE_DEPTH_MAX * (TREE_NAME_MAX + 1u) + 1u)

static char where[PATH_BYTES];
static size_t where_length;
static const char *failed = "args";

int builtin_fail(const char *step, int error) {
  failed = step;
  return error;
}

bool builtin_path_push(const char *name) {
  size_t length = strlen(name), slash = where_length > 0;
  if (where_length + slash + length + 1 > PATH_BYTES) return false;
  if (slash) where[where_length] = '/';
  memcpy(where + where_length + slash, name, length + 1);
  where_length += slash + length;
  return true;
}

void builtin_path_pop(void) {
  char *slash = strrchr(where, '/');
  where_length = slash == NULL ? 0 : (size_t)(slash - where);
  where[where_length] = 0;
}

const char *builtin_path(void) { return where; }

static void say(int error) {
  char head[64];
  int length = snprintf(head, sizeof head, "%d %s ", error, failed);
  /* Nobody is left to tell where this fails. */
  if (write(2, head, (size_t)length) == length && write(2, where, where_length) < 0) return;
}

_Noreturn void builtin_job(char *const *args) {
  int error = EINVAL;
  const char *name = args[0] == NULL ? "" : args[0], *path = args[0] == NULL ? NULL : args[1];
  bool alone = path != NULL && args[2] == NULL;
  bool deep = path != NULL && !alone && strcmp(args[2], "recursive") == 0 && args[3] == NULL;
  if (alone && strcmp(name, "pack") == 0) error = tree_pack(path);
  if (alone && strcmp(name, "unpack") == 0) error = tree_unpack(path);
  if (path != NULL && strcmp(name, "list") == 0) error = tree_list(path, args + 2);
  if ((alone || deep) && strcmp(name, "watch") == 0) error = watch_job(path, deep);
  if (error != 0) say(error);
  _exit(error == 0 ? 0 : 1);
}
