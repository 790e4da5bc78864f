/* The child that packs or unpacks a tree, and what it knows of where it is. */
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES (TREE_DEPTH_MAX * (TREE_NAME_MAX + 1u) + 1u)

static char where[PATH_BYTES];
static size_t where_length;
static const char *failed = "args";

int tree_fail(const char *step, int error) {
  failed = step;
  return error;
}

bool tree_path_push(const char *name) {
  size_t length = strlen(name), slash = where_length > 0;
  if (where_length + slash + length + 1 > PATH_BYTES) return false;
  if (slash) where[where_length] = '/';
  memcpy(where + where_length + slash, name, length + 1);
  where_length += slash + length;
  return true;
}

void tree_path_pop(void) {
  char *slash = strrchr(where, '/');
  where_length = slash == NULL ? 0 : (size_t)(slash - where);
  where[where_length] = 0;
}

const char *tree_path(void) { return where; }

static void say(int error) {
  char head[64];
  int length = snprintf(head, sizeof head, "%d %s ", error, failed);
  /* Nobody is left to tell where this fails. */
  if (write(2, head, (size_t)length) == length && write(2, where, where_length) < 0) return;
}

_Noreturn void tree_job(char *const *args) {
  int error = EINVAL;
  bool two = args[0] != NULL && args[1] != NULL && args[2] == NULL;
  if (two && strcmp(args[0], "pack") == 0) error = tree_pack(args[1]);
  if (two && strcmp(args[0], "unpack") == 0) error = tree_unpack(args[1]);
  if (error != 0) say(error);
  _exit(error == 0 ? 0 : 1);
}
