/*
 * Feeds the parsers of host-given bytes with what they must refuse and with noise, under the
 * sanitizers. Every input lies in memory of exactly its size, so that one byte too far is seen.
 */
#include "../frame.h"
#include "../host.h"
#include "../link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);         \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static uint64_t state = 88172645463325252u;
static uint32_t number(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

static int nothing(const struct entry *entry, void *context) {
  *(size_t *)context += strlen(entry->source) + strlen(entry->target) + entry->content_length;
  return 0;
}

static void parse(const uint8_t *bytes, size_t length) {
  uint8_t *exact = malloc(length == 0 ? 1 : length);
  memcpy(exact, bytes, length);
  static struct create_request request;
  static struct config config;
  const char *step = NULL;
  int error = create_parse(exact, length, &request, &step);
  CHECK(error == 0 || (step != NULL && step[0] != 0));
  step = NULL;
  error = config_parse(exact, length, &config, &step);
  CHECK(error == 0 || (step != NULL && step[0] != 0));
  size_t total = 0;
  for (uint16_t tag = F_SYSTEM; error == 0 && tag <= F_MOUNT; tag++)
    CHECK(config_each(&config, tag, nothing, &total) == 0);
  struct field_reader reader;
  struct field field;
  fields_begin(&reader, exact, length);
  size_t seen = 0;
  int more;
  while ((more = fields_next(&reader, &field)) == 1) {
    char text[16];
    uint8_t a;
    uint32_t b;
    uint64_t c;
    const char *first, *second;
    size_t rest;
    seen += 6 + field.length;
    CHECK(field.value + field.length <= exact + length);
    if (field_string(&field, text, sizeof text)) CHECK(strlen(text) == field.length);
    (void)(field_u8(&field, &a) || field_u32(&field, &b) || field_u64(&field, &c));
    for (size_t skip = 0; skip < 12; skip += 4)
      if (field_pair(&field, skip, skip == 4, &first, &second, &rest))
        CHECK(skip + strlen(first) + 1 + rest == field.length);
  }
  CHECK(more == -1 || seen == length);
  free(exact);
}

static size_t put_valid(uint8_t *out, size_t room) {
  static const uint8_t secret[SECRET_BYTES], mount[] = "\2\0\0\20\0\0\0\0\0\0\0/m";
  static const uint8_t file[] = "\244\1\0\0/f\0con\0tent";
  uint64_t size = 4096;
  uint32_t grace = 1000;
  size_t n = 0;
  if (number(2)) {
    n += field_put(out + n, room - n, F_VM_ID, "vm-1", 4);
    n += field_put(out + n, room - n, F_SECRET, secret, sizeof secret);
    n += field_put(out + n, room - n, F_EPOCH, &size, 8);
    n += field_put(out + n, room - n, F_SOCKET_PATH, "/tmp/s", 6);
    n += field_put(out + n, room - n, F_ADOPT_GRACE_MS, &grace, 4);
    n += field_put(out + n, room - n, F_CGROUP, "/c/d", 4);
    return n;
  }
  n += field_put(out + n, room - n, F_HOSTNAME, "vm", 2);
  for (uint16_t tag = F_ROOT_BYTES; tag <= F_SHM_BYTES; tag++)
    n += field_put(out + n, room - n, tag, &size, 8);
  n += field_put(out + n, room - n, F_SYSTEM, "/usr\0/usr", 9);
  n += field_put(out + n, room - n, F_LINK, "usr/bin\0/bin", 12);
  n += field_put(out + n, room - n, F_FILE, file, sizeof file - 1);
  n += field_put(out + n, room - n, F_MOUNT, mount, sizeof mount - 1);
  return n;
}

static void exact_cases(void) {
  uint8_t bytes[512], small[8];
  const char *step = "";
  static struct config config;
  struct create_request request;
  int valid_configs = 0, valid_creates = 0;
  for (int i = 0; i < 64; i++) {
    size_t n = put_valid(bytes, sizeof bytes);
    if (bytes[0] == F_HOSTNAME) {
      valid_configs += config_parse(bytes, n, &config, &step) == 0;
    } else {
      int error = create_parse(bytes, n, &request, &step);
      valid_creates += error == 0 || strcmp(step, "host-ids") == 0;
    }
    for (size_t cut = 0; cut < n; cut++) parse(bytes, cut);
  }
  CHECK(valid_configs > 0 && valid_creates > 0 && valid_configs + valid_creates == 64);
  CHECK(field_put(small, sizeof small, 1, "abc", 3) == 0);
  CHECK(field_put(small, sizeof small, 1, "ab", 2) == 8);
  CHECK(field_put(small, 5, 1, "", 0) == 0);
  struct frame frame = {.length = FRAME_MAX_PAYLOAD, .kind = K_OUT, .stream = 7, .offset = 1u << 31};
  uint8_t header[FRAME_HEADER_BYTES];
  struct frame back;
  frame_put(header, &frame);
  CHECK(frame_get(header, &back) && back.length == frame.length && back.kind == K_OUT);
  CHECK(back.stream == 7 && back.offset == 1u << 31);
  frame.length++;
  frame_put(header, &frame);
  CHECK(!frame_get(header, &back));
  CHECK(valid_path("/a/b") && valid_path("/...") && !valid_path("/") && !valid_path("a"));
  CHECK(!valid_path("") && !valid_path("/a/") && !valid_path("//a") && !valid_path("/a/.."));
  CHECK(!valid_path("/./a") && valid_id("a_-Z9") && !valid_id("") && !valid_id("a.b"));
}

/* Whole buffers go through, also in small pieces and on a descriptor that doesn't block. */
static void transfers(void) {
  enum { BYTES = 1 << 20 };
  static uint8_t sent[BYTES], received[FRAME_HEADER_BYTES + BYTES];
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  for (size_t i = 0; i < BYTES; i++) sent[i] = (uint8_t)number(256);
  pid_t pid = fork();
  if (pid == 0) _exit(frame_send(pair[1], K_OUT, 1, 2, sent, BYTES) == 0 ? 0 : 1);
  close(pair[1]);
  CHECK(read_full(pair[0], received, sizeof received) == 0);
  CHECK(memcmp(received + FRAME_HEADER_BYTES, sent, BYTES) == 0);
  CHECK(read_full(pair[0], received, 1) == ECONNRESET);
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 100000;
  exact_cases();
  transfers();
  for (long i = 0; i < rounds; i++) {
    uint8_t bytes[512];
    size_t length = put_valid(bytes, sizeof bytes);
    for (uint32_t changes = number(4); changes > 0; changes--) {
      uint32_t at = number((uint32_t)length);
      if (number(2)) bytes[at] = (uint8_t)number(256);
      else bytes[at] ^= (uint8_t)(1u << number(8));
    }
    if (number(4) == 0) length = number((uint32_t)length + 1);
    if (number(16) == 0)
      for (size_t at = 0; at < length; at++) bytes[at] = (uint8_t)number(256);
    parse(bytes, length);
  }
  puts("ok");
  return 0;
}
