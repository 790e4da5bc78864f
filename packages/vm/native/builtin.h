/* What a child of PID 1 does without a program: trees as streams (docs/tree-stream.md), watches. */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "frame.h"

enum tree_record {
  TREE_DIRECTORY = 'D', /* what follows lies in it, until TREE_UP */
  TREE_UP = 'U',
  TREE_FILE = 'F', /* its pieces follow */
  TREE_LINK = 'L',
  BUILTIN_HARD_LINK = 'H',
  TREE_SKIPPED = 'S',
  TREE_END = 'E',
};

#define TREE_NAME_MAX 255u
#define TREE_TEXT_MAX 4095u
#define TREE_PIECE_MAX (1024u * 1024u)
/* Directories within one another: each costs a descriptor. */
#define TREE_DEPTH_MAX 256

/* 0, or an errno. What failed is told by builtin_fail, where by builtin_path. */
int tree_pack(const char *path);
int tree_unpack(const char *path);
/* `without`: absolute paths, ended by NULL; before them may stand the word "digest". */
int tree_list(const char *path, char *const *without);

/* What happens below a path, written to descriptor 1 until the reader is gone. */
enum watch_record {
  WATCH_READY = 'R',
  WATCH_CREATED = 'C',
  WATCH_MODIFIED = 'M',
  WATCH_REMOVED = 'D',
  WATCH_RENAMED = 'N',
  WATCH_OVERFLOW = 'O', /* something was not seen */
};
int watch_job(const char *path, bool deep);

/* tree-output.c: the stream that is packed. 0, or an errno. */
int tree_flush(void);
/* Before so many bytes are put; at most 128 KiB and a little. */
int tree_room(size_t bytes);
void tree_put(const void *bytes, size_t length);
void tree_put_text(const char *text);
/* Where the next bytes go, for who writes them there: then they are filled. */
char *tree_spare(void);
void tree_filled(size_t length);

/* builtin-job.c: `step` is what failed. Returns the error. */
int builtin_fail(const char *step, int error);
/* The entry that is worked on, below the top: "a/b". False: too long. */
bool builtin_path_push(const char *name);
void builtin_path_pop(void);
const char *builtin_path(void);

/* tree-input.c: the stream that is unpacked. 0, or an errno. */
int tree_take(void *out, size_t length);
/* Without NUL, terminated; `out` has room for most + 1. */
int tree_take_text(char *out, size_t most);
/* The next bytes, into a file. */
int tree_take_into(int fd, uint64_t offset, uint32_t length);
/* Whatever is not as the format says ends the unpacking, as does an end before TREE_END. */
int tree_malformed(void);

/* Runs as the child that was forked for it: with its stdio, and nothing else. Says on descriptor 2
 * what failed: "ERRNO STEP PATH". */
_Noreturn void builtin_job(char *const *args);

#endif
