/* Connections between the sidecar and programs of the VM: how they begin and end. */
#include "agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION_EVENTS ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))

static struct connection connections[CONNECTIONS_MAX];
static uint32_t high;

struct connection *connection_find(uint32_t stream) {
  for (uint32_t i = 0; stream != 0 && i < high; i++)
    if (connections[i].stream == stream && connections[i].state != CONNECTION_NONE) return &connections[i];
  return NULL;
}

struct connection *connection_take_slot(void) {
  uint32_t index = 0;
  while (index < high && connections[index].state != CONNECTION_NONE) index++;
  if (index == CONNECTIONS_MAX) return NULL;
  if (index == high) high++;
  connections[index] = (struct connection){.fd = -1, .sender = {.kind = SENDER_CONNECTION}};
  return &connections[index];
}

/* The program sees a reset unless it was told the end of what comes. */
void connection_close(struct connection *connection) {
  sender_forget(&connection->sender);
  ring_free(&connection->in.ring);
  if (connection->fd >= 0) {
    struct linger reset = {.l_onoff = 1};
    if (!connection->shut) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(connection->fd);
  }
  connection->fd = -1;
  connection->stream = 0;
  connection->state = CONNECTION_NONE;
  if (connection->door != NULL) door_left(connection);
  while (high > 0 && connections[high - 1].state == CONNECTION_NONE) high--;
}

void connection_fail(struct connection *connection, int error, const char *step) {
  link_fail(connection->stream, error, step);
  connection_close(connection);
}

int connection_watch(struct connection *connection) {
  int on = 1;
  /* Says no for a unix socket, which never waits to fill a segment. */
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection->readable = connection->in.writable = true;
  return agent_watch(connection->fd, CONNECTION_EVENTS, WATCH_CONNECTION, (uint32_t)(connection - connections));
}

void connections_detach(void) {
  for (uint32_t i = high; i-- > 0;)
    if (connections[i].state != CONNECTION_NONE) connection_close(&connections[i]);
}

/* Those that were not taken. */
void connections_of_door(const struct door *door) {
  for (uint32_t i = high; i-- > 0;)
    if (connections[i].state != CONNECTION_NONE && connections[i].door == door) connection_close(&connections[i]);
}

bool connections_have_room(void) {
  if (high < CONNECTIONS_MAX) return true;
  for (uint32_t i = 0; i < high; i++)
    if (connections[i].state == CONNECTION_NONE) return true;
  return false;
}

struct connection *connection_of_token(uint32_t token) {
  for (uint32_t i = 0; i < high; i++)
    if (connections[i].state == CONNECTION_WAITING && connections[i].token == token) return &connections[i];
  return NULL;
}

/* ---- CONNECT ---- */

static void opened(struct connection *connection) {
  connection->state = CONNECTION_OPEN;
  connection->answer_due = true;
  sender_wake(&connection->sender);
}

/* 0, EINPROGRESS or another errno. */
static int try_connect(struct connection *connection, const struct sockaddr *address, socklen_t length) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connection->fd < 0) return errno;
  int error = connect(connection->fd, address, length) == 0 ? 0 : errno;
  if (error != 0 && error != EINPROGRESS) return error;
  int watched = connection_watch(connection);
  return watched ? watched : error;
}

static int try_port(struct connection *connection, bool version_6) {
  connection->tried_6 = version_6;
  if (version_6) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(connection->port),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return try_connect(connection, (struct sockaddr *)&address, sizeof address);
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(connection->port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return try_connect(connection, (struct sockaddr *)&address, sizeof address);
}

static int try_path(struct connection *connection, const uint8_t *path, size_t length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, length);
  return try_connect(connection, (struct sockaddr *)&address, sizeof address);
}

/* What came of an attempt. A second one is made where the first address says no. */
static void tried(struct connection *connection, int error) {
  if (error == ECONNREFUSED && connection->port != 0 && !connection->tried_6) {
    error = try_port(connection, true);
    if (error != 0 && error != EINPROGRESS) error = ECONNREFUSED;
  }
  if (error == 0) opened(connection);
  else if (error != EINPROGRESS) connection_fail(connection, error, "connect");
}

/* The kernel has decided about an attempt. */
void connection_settled(struct connection *connection) {
  int error = 0;
  socklen_t length = sizeof error;
  connection->settled = false;
  if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  tried(connection, error);
}

static bool window_is_good(uint32_t window) {
  return window >= WINDOW_MIN_BYTES && window <= WINDOW_MAX_BYTES;
}

static void set_windows(struct connection *connection, uint32_t stream, const uint8_t *windows) {
  connection->stream = stream;
  connection->window = get_u32(windows);
  connection->in.ring.capacity = get_u32(windows + 4);
}

bool connection_open(uint32_t stream, const uint8_t *payload, size_t length) {
  if (length < 10) return false;
  uint16_t port = get_u16(payload + 8);
  size_t path_length = length - 10;
  const uint8_t *path = payload + 10;
  bool is_path = path_length > 0 && path[0] == '/' && path_length < SOCKET_PATH_BYTES &&
                 memchr(path, 0, path_length) == NULL;
  if (!window_is_good(get_u32(payload)) || !window_is_good(get_u32(payload + 4)) ||
      (port == 0 ? !is_path : path_length > 0)) {
    link_fail(stream, EINVAL, "connect");
    return true;
  }
  struct connection *connection = connection_take_slot();
  if (connection == NULL) {
    link_fail(stream, EAGAIN, "table");
    return true;
  }
  set_windows(connection, stream, payload);
  connection->state = CONNECTION_CONNECTING;
  connection->port = port;
  tried(connection, port == 0 ? try_path(connection, path, path_length) : try_port(connection, false));
  return true;
}

bool connection_take(uint32_t stream, const uint8_t *payload, size_t length) {
  if (length != 12) return false;
  struct connection *connection = connection_of_token(get_u32(payload));
  if (connection == NULL || !window_is_good(get_u32(payload + 4)) || !window_is_good(get_u32(payload + 8))) {
    link_fail(stream, connection == NULL ? ESRCH : EINVAL, "take");
    return true;
  }
  set_windows(connection, stream, payload + 4);
  connection->state = CONNECTION_OPEN;
  door_left(connection);
  sender_wake(&connection->sender);
  return true;
}

void connection_event(uint32_t index, uint32_t events) {
  struct connection *connection = &connections[index];
  if (connection->state == CONNECTION_NONE) return;
  if (connection->state == CONNECTION_CONNECTING) {
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    connection->settled = true;
    sender_wake(&connection->sender);
    return;
  }
  if (events & ~(uint32_t)EPOLLOUT) {
    connection->readable = true;
    if (connection->state == CONNECTION_OPEN) sender_wake(&connection->sender);
  }
  if (events & EPOLLOUT) {
    connection->in.writable = true;
    if (connection->state == CONNECTION_OPEN) connection_flush(connection);
  }
}
