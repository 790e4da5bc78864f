/* The forms that ids and paths must have. */
#include "host.h"

#include <string.h>

bool valid_id(const char *id) {
  size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
  return n >= 1 && n <= ID_MAX_BYTES && id[n] == 0;
}

bool valid_path(const char *path) {
  if (*path != '/') return false;
  while (*path == '/') {
    path++;
    size_t n = strcspn(path, "/");
    if (n == 0 || n > 255) return false;
    if (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))) return false;
    path += n;
  }
  return true;
}
