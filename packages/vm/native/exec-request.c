#include "agent.h"

#include <errno.h>

/* Twice this many pointers; the strings themselves are bounded by the frame. */
#define WORDS_MAX 65536

static char *arg_words[WORDS_MAX + 1], *env_words[WORDS_MAX + 1];

static bool is_id(const char *id) {
  size_t length = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");
  return length > 0 && id[length] == 0;
}

static bool is_window(uint32_t bytes) { return bytes >= WINDOW_MIN_BYTES && bytes <= WINDOW_MAX_BYTES; }

/* A string is terminated in place, over the header of the field behind it, which has been read by
 * then or is put back by the link. */
static char *word_of(const struct field *field) { return (char *)(uintptr_t)field->value; }

struct word_list {
  char **words;
  uint32_t count;
  char *end; /* of the last one, not terminated yet */
};

static int add_word(struct word_list *list, const struct field *field) {
  const char *bytes;
  size_t length;
  if (!field_bytes(field, &bytes, &length)) return -1;
  if (list->count >= WORDS_MAX) return E2BIG;
  list->words[list->count++] = word_of(field);
  return 0;
}

/* 0, -1: does not parse, or an errno with *step. */
static int parse_field(const struct field *field, struct exec_request *request, struct word_list *args,
                       struct word_list *env, const char **step) {
  const char *bytes;
  size_t length;
  switch (field->tag) {
    case F_ID:
      *step = "id";
      if (!field_bytes(field, &bytes, &length)) return -1;
      return field_string(field, request->id, sizeof request->id) && is_id(request->id) ? 0 : EINVAL;
    case F_ARG: *step = "exec"; return add_word(args, field);
    case F_ENV:
      *step = "env";
      if (!field_bytes(field, &bytes, &length)) return -1;
      if (length == 0 || bytes[0] == '=' || memchr(bytes, '=', length) == NULL) return EINVAL;
      return add_word(env, field);
    case F_CWD:
      *step = "cwd";
      if (!field_bytes(field, &bytes, &length)) return -1;
      request->cwd = bytes;
      return length > 0 && bytes[0] == '/' ? 0 : EINVAL;
    case F_FLAGS: return field_u32(field, &request->flags) ? 0 : -1;
    case F_WINDOW: return field_u32(field, &request->window) ? 0 : -1;
    case F_TIMEOUT_MS: return field_u32(field, &request->timeout_ms) ? 0 : -1;
    case F_STDIN_WINDOW: return field_u32(field, &request->stdin_window) ? 0 : -1;
    case F_COLS: return field_u32(field, &request->cols) ? 0 : -1;
    case F_ROWS: return field_u32(field, &request->rows) ? 0 : -1;
    default: *step = "field"; return EINVAL;
  }
}

/* A terminal's input comes by ATTACH, and only a terminal has a size. */
static bool are_flags(const struct exec_request *request) {
  bool terminal = request->flags & EXEC_TERMINAL;
  if (request->flags & ~(uint32_t)(EXEC_STDIN_PIPE | EXEC_LOGGED | EXEC_TERMINAL | EXEC_BUILTIN)) return false;
  if ((request->flags & EXEC_BUILTIN) && (request->flags & (EXEC_LOGGED | EXEC_TERMINAL))) return false;
  if (terminal && (request->flags & EXEC_STDIN_PIPE)) return false;
  if (!terminal) return request->cols == 0 && request->rows == 0;
  return request->cols >= 1 && request->cols <= 0xffff && request->rows >= 1 && request->rows <= 0xffff;
}

static void terminate_strings(const uint8_t *payload, size_t length) {
  struct field_reader reader;
  struct field field;
  char *previous = NULL;
  fields_begin(&reader, payload, length);
  while (fields_next(&reader, &field) > 0) {
    if (previous != NULL) *previous = 0;
    previous = word_of(&field) + field.length;
  }
  if (previous != NULL) *previous = 0;
}

int exec_request_parse(uint8_t *payload, size_t length, struct exec_request *request, const char **step) {
  struct word_list args = {.words = arg_words}, env = {.words = env_words};
  struct field_reader reader;
  struct field field;
  int next, refused = 0;
  const char *refused_step = "field";
  *request = (struct exec_request){.args = arg_words, .env = env_words, .cwd = "/",
                                   .window = WINDOW_DEFAULT_BYTES, .stdin_window = WINDOW_DEFAULT_BYTES};
  fields_begin(&reader, payload, length);
  while ((next = fields_next(&reader, &field)) > 0) {
    *step = "field";
    int error = parse_field(&field, request, &args, &env, step);
    if (error < 0) return -1;
    if (error != 0 && refused == 0) {
      refused = error;
      refused_step = *step;
    }
  }
  if (next < 0) return -1;
  *step = refused_step;
  if (refused != 0) return refused;
  if (request->id[0] == 0 || args.count == 0 || !are_flags(request) || !is_window(request->window) ||
      !is_window(request->stdin_window))
    return EINVAL;
  arg_words[args.count] = NULL;
  env_words[env.count] = NULL;
  terminate_strings(payload, length);
  return 0;
}
