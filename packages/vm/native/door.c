/* Doors: places in the VM where its programs reach the sidecar. They outlive the link. */
#include "agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DOORS_MAX 256u
#define BACKLOG 128
/* Accepted, and not taken by the sidecar; the others wait in the backlog. */
#define WAITING_MAX 64u
#define ANY_PORT_TRIES 16
#define ACCEPT_PAUSE_US 100000

struct door {
  bool open, paused;
  uint32_t stream; /* 0: not claimed on this link */
  uint16_t port; /* 0: at a path */
  uint32_t address; /* 0: loopback's first, and ::1 */
  char name[ID_MAX_BYTES + 1];
  int fds[2]; /* 127.0.0.1 and ::1, or the path's; -1: none */
  uint32_t waiting;
};

static struct door doors[DOORS_MAX];
static uint32_t last_token;
static int64_t resume_at_us;

static struct door *door_find(uint32_t stream) {
  for (uint32_t i = 0; stream != 0 && i < DOORS_MAX; i++)
    if (doors[i].open && doors[i].stream == stream) return &doors[i];
  return NULL;
}

bool door_is(uint32_t stream) { return door_find(stream) != NULL; }

static void watch(struct door *door, bool accepting) {
  if (door->paused == !accepting) return;
  door->paused = !accepting;
  for (uint32_t i = 0; i < 2; i++)
    if (door->fds[i] >= 0)
      agent_rewatch(door->fds[i], accepting ? EPOLLIN : 0, WATCH_DOOR, (uint32_t)(door - doors) * 2 + i);
}

/* Level-triggered: whoever can't be accepted waits in the backlog, unwatched. */
static void resume(struct door *door) {
  if (door->open && door->stream != 0 && door->waiting < WAITING_MAX && resume_at_us == 0) watch(door, true);
}

static void resume_all(void) {
  for (uint32_t i = 0; i < DOORS_MAX; i++) resume(&doors[i]);
}

static void pause_all(int64_t until) {
  resume_at_us = until;
  agent_deadline(until);
  for (uint32_t i = 0; i < DOORS_MAX; i++)
    if (doors[i].open) watch(&doors[i], false);
}

void doors_timers(int64_t now) {
  if (resume_at_us == 0) return;
  if (now < resume_at_us) {
    agent_deadline(resume_at_us);
    return;
  }
  resume_at_us = 0;
  resume_all();
}


void door_left(struct connection *connection) {
  struct door *door = connection->door;
  connection->door = NULL;
  if (door == NULL) return;
  door->waiting--;
  resume(door);
}

static void door_close(struct door *door) {
  door->open = false;
  connections_of_door(door);
  for (int i = 0; i < 2; i++)
    if (door->fds[i] >= 0) close(door->fds[i]);
  if (door->name[0] != 0 && sandbox_doors() >= 0) unlinkat(sandbox_doors(), door->name, 0);
}

/* One at an address of its own leads to another VM, and nobody may come for it. */
void doors_detach(void) {
  for (uint32_t i = 0; i < DOORS_MAX; i++) {
    if (!doors[i].open) continue;
    doors[i].stream = 0;
    if (doors[i].address != 0) door_close(&doors[i]);
    else watch(&doors[i], false);
  }
}

void door_release(uint32_t stream) {
  struct door *door = door_find(stream);
  if (door != NULL) door_close(door);
}

/* ---- LISTEN ---- */

/* A listening descriptor, or -1 with errno. */
static int listen_at(const struct sockaddr *address, socklen_t length) {
  int on = 1;
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  /* Two listeners never share a port by this; connections that linger don't hold it. */
  if (address->sa_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static bool lacks_version_6(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

/* Both addresses, so that no program of the VM can stand at the other one. 0 or an errno. */
static int listen_port(struct door *door, uint16_t port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(door->address ? door->address : INADDR_LOOPBACK)};
  socklen_t length = sizeof four;
  door->fds[0] = listen_at((struct sockaddr *)&four, sizeof four);
  if (door->fds[0] < 0) return errno;
  if (getsockname(door->fds[0], (struct sockaddr *)&four, &length) < 0) return errno;
  door->port = ntohs(four.sin_port);
  if (door->address != 0) return 0;
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = four.sin_port,
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  door->fds[1] = listen_at((struct sockaddr *)&six, sizeof six);
  return door->fds[1] < 0 && !lacks_version_6(errno) ? errno : 0;
}

/* As a name in a directory that only PID 1 can write. */
static int listen_name(struct door *door) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, door->name, strlen(door->name));
  if (sandbox_doors() < 0) return EOPNOTSUPP;
  if (fchdir(sandbox_doors()) != 0) return errno;
  mode_t mask = umask(0);
  door->fds[0] = listen_at((struct sockaddr *)&address, sizeof address);
  int error = door->fds[0] < 0 ? errno : 0;
  umask(mask);
  /* Nothing else may be done from here. */
  if (chdir("/") != 0) _exit(1);
  return error;
}

static int listen_anywhere(struct door *door, uint16_t port) {
  for (int tries = 0;; tries++) {
    int error = listen_port(door, port);
    if (error == 0) return 0;
    for (int i = 0; i < 2; i++)
      if (door->fds[i] >= 0) close(door->fds[i]);
    door->fds[0] = door->fds[1] = -1;
    /* The kernel chose a port that is taken at the other address. */
    if (port != 0 || error != EADDRINUSE || tries == ANY_PORT_TRIES) return error;
  }
}

static struct door *door_at(uint32_t address, uint16_t port, const char *name) {
  for (uint32_t i = 0; i < DOORS_MAX; i++)
    if (doors[i].open && doors[i].address == address && doors[i].port == port &&
        strcmp(doors[i].name, name) == 0)
      return &doors[i];
  return NULL;
}

static int door_make(uint32_t address, uint16_t port, const char *name, struct door **made) {
  struct door *door = doors;
  while (door < doors + DOORS_MAX && door->open) door++;
  if (door == doors + DOORS_MAX) return EAGAIN;
  *door = (struct door){.address = address, .fds = {-1, -1}};
  memcpy(door->name, name, strlen(name));
  int error = name[0] == 0 ? listen_anywhere(door, port) : listen_name(door);
  for (uint32_t i = 0; error == 0 && i < 2; i++)
    if (door->fds[i] >= 0) error = agent_watch(door->fds[i], 0, WATCH_DOOR, (uint32_t)(door - doors) * 2 + i);
  door->open = door->paused = true;
  if (error != 0) door_close(door);
  *made = door;
  return error;
}

static bool name_is_good(const char *name) {
  size_t length = strlen(name);
  const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return length > 0 && name[0] != '.' && strspn(name, letters) == length;
}

/* A name in DOORS_PATH. */
static bool take_path(const uint8_t *path, size_t length, char name[ID_MAX_BYTES + 1]) {
  static const char prefix[] = DOORS_PATH "/";
  size_t skip = sizeof prefix - 1, rest = length > skip ? length - skip : 0;
  if (rest == 0 || rest > ID_MAX_BYTES || memcmp(path, prefix, skip) != 0) return false;
  memcpy(name, path + skip, rest);
  return strlen(name) == rest && name_is_good(name);
}

/* Another of loopback's addresses, in the order of the network. */
static bool take_address(const uint8_t *bytes, size_t length, uint32_t *address) {
  if (length != 4 || bytes[0] != IN_LOOPBACKNET) return false;
  *address = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
  return *address != INADDR_LOOPBACK;
}

bool door_open(uint32_t stream, const uint8_t *payload, size_t length) {
  char name[ID_MAX_BYTES + 1] = "";
  uint32_t address = 0;
  if (length < 2) return false;
  uint16_t port = get_u16(payload);
  const uint8_t *rest = payload + 2;
  if (length > 2 && !(port == 0 ? take_path(rest, length - 2, name) : take_address(rest, length - 2, &address))) {
    link_fail(stream, EINVAL, "listen");
    return true;
  }
  struct door *door = port == 0 && name[0] == 0 ? NULL : door_at(address, port, name);
  int error = door == NULL ? door_make(address, port, name, &door) : door->stream != 0 ? EADDRINUSE : 0;
  if (error != 0) {
    link_fail(stream, error, "listen");
    return true;
  }
  door->stream = stream;
  uint8_t answer[2];
  put_u16(answer, door->port);
  link_control(K_LISTENING, stream, 0, answer, sizeof answer);
  resume(door);
  return true;
}

/* ---- whoever comes ---- */

static void tell(struct door *door, int fd) {
  struct connection *connection = connection_take_slot();
  uint8_t token[4];
  if (connection == NULL) {
    close(fd);
    return;
  }
  connection->fd = fd;
  connection->state = CONNECTION_WAITING;
  connection->token = ++last_token;
  connection->door = door;
  door->waiting++;
  put_u32(token, connection->token);
  if (connection_watch(connection) != 0 || !link_control(K_INCOMING, door->stream, 0, token, sizeof token))
    connection_close(connection);
}

void door_event(uint32_t index) {
  struct door *door = &doors[index / 2];
  if (!door->open || door->paused || door->fds[index % 2] < 0) return;
  if (door->waiting >= WAITING_MAX || !connections_have_room() || link_reserve(4) == NULL) {
    /* The rest comes back by door_left, or after a moment. */
    watch(door, false);
    if (door->waiting < WAITING_MAX) pause_all(agent_now() + ACCEPT_PAUSE_US);
    return;
  }
  int fd = accept4(door->fds[index % 2], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) tell(door, fd);
  else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) pause_all(agent_now() + ACCEPT_PAUSE_US);
}

bool door_refuse(const uint8_t *payload, size_t length) {
  if (length != 4) return false;
  struct connection *connection = connection_of_token(get_u32(payload));
  if (connection != NULL) connection_close(connection);
  return true;
}
