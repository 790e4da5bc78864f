/* The directories that one watch looks at: each a node that knows its name and the one above it. */
#ifndef WATCH_TREE_H
#define WATCH_TREE_H

#include "frame.h"

/* Directories of one watch; what is more is told as an overflow. */
#define WATCH_NODES_MAX 8192u
#define WATCH_PATH_BYTES 4096u

struct watch_node {
  int wd; /* -1: unused */
  uint32_t above; /* its own index at the top */
  char *name;
};

/* NULL: full, or out of memory. The top is index 0. */
struct watch_node *watch_node_add(int wd, uint32_t above, const char *name);
struct watch_node *watch_node_of(int wd);
/* The directory called `name` in `above`, or NULL. */
struct watch_node *watch_node_in(uint32_t above, const char *name);
struct watch_node *watch_node_at(uint32_t index); /* NULL: unused */
uint32_t watch_node_index(const struct watch_node *node);
/* False: out of memory; then it keeps its name. */
bool watch_node_move(struct watch_node *node, uint32_t above, const char *name);
void watch_node_drop(struct watch_node *node);
void watch_nodes_clear(void);
/* "a/b/name" below the top, of what is called `name` in the directory. False: too long. */
bool watch_path(uint32_t above, const char *name, char out[WATCH_PATH_BYTES]);

/* watch-tell.c: 0, or what builtin_fail returned. */
int watch_tell(uint8_t kind, uint8_t type, const char *path, const char *from);
int watch_flush(void);

#endif
