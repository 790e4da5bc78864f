#include "watch-tree.h"

#include <stdlib.h>

static struct watch_node nodes[WATCH_NODES_MAX];
static uint32_t high;
/* By wd, which the kernel counts up: open addressing, twice the nodes. */
#define SLOTS (4u * WATCH_NODES_MAX)
static uint32_t slots[SLOTS]; /* index + 1; 0: never used */

static uint32_t slot_of(int wd) { return (uint32_t)wd * 2654435761u % SLOTS; }

static void enter_slot(uint32_t index) {
  uint32_t slot = slot_of(nodes[index].wd);
  while (slots[slot] != 0 && nodes[slots[slot] - 1].wd != -1) slot = (slot + 1) % SLOTS;
  slots[slot] = index + 1;
}

/* Without what was dropped, so that a search ends. */
static void rebuild(void) {
  memset(slots, 0, sizeof slots);
  for (uint32_t i = 0; i < high; i++)
    if (nodes[i].wd != -1) enter_slot(i);
}

struct watch_node *watch_node_add(int wd, uint32_t above, const char *name) {
  static uint32_t entered;
  uint32_t index = 0;
  while (index < high && nodes[index].wd != -1) index++;
  if (index == WATCH_NODES_MAX) return NULL;
  char *copy = strdup(name);
  if (copy == NULL) return NULL;
  nodes[index] = (struct watch_node){wd, above, copy};
  if (index == high) high++;
  if (++entered >= SLOTS / 2) {
    entered = high;
    rebuild();
  } else {
    enter_slot(index);
  }
  return &nodes[index];
}

struct watch_node *watch_node_of(int wd) {
  for (uint32_t slot = slot_of(wd), tries = 0; slots[slot] != 0 && tries < SLOTS; tries++, slot = (slot + 1) % SLOTS)
    if (nodes[slots[slot] - 1].wd == wd) return &nodes[slots[slot] - 1];
  return NULL;
}

struct watch_node *watch_node_in(uint32_t above, const char *name) {
  for (uint32_t i = 1; i < high; i++)
    if (nodes[i].wd != -1 && nodes[i].above == above && strcmp(nodes[i].name, name) == 0) return &nodes[i];
  return NULL;
}

struct watch_node *watch_node_at(uint32_t index) {
  return index < high && nodes[index].wd != -1 ? &nodes[index] : NULL;
}

uint32_t watch_node_index(const struct watch_node *node) { return (uint32_t)(node - nodes); }

bool watch_node_move(struct watch_node *node, uint32_t above, const char *name) {
  char *copy = strdup(name);
  if (copy == NULL) return false;
  free(node->name);
  node->name = copy;
  node->above = above;
  return true;
}

void watch_node_drop(struct watch_node *node) {
  free(node->name);
  node->name = NULL;
  node->wd = -1;
}

void watch_nodes_clear(void) {
  for (uint32_t i = 0; i < high; i++)
    if (nodes[i].wd != -1) watch_node_drop(&nodes[i]);
  high = 0;
  memset(slots, 0, sizeof slots);
}

/* Parts from the end of `out` forward: a node knows what is above it, not what is below. */
bool watch_path(uint32_t above, const char *name, char out[WATCH_PATH_BYTES]) {
  size_t at = WATCH_PATH_BYTES - 1;
  out[at] = 0;
  for (uint32_t depth = 0; depth < WATCH_NODES_MAX; depth++) {
    size_t length = strlen(name), slash = length > 0 && out[at] != 0;
    if (length + slash > at) return false;
    if (slash) out[--at] = '/';
    at -= length;
    memcpy(out + at, name, length);
    if (above == UINT32_MAX) break;
    const struct watch_node *node = watch_node_at(above);
    if (node == NULL) break;
    name = node->name;
    above = above == node->above ? UINT32_MAX : node->above;
  }
  memmove(out, out + at, WATCH_PATH_BYTES - at);
  return true;
}
