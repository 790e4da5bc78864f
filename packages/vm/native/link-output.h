/* The sending half of the link, for link.c. */
#ifndef LINK_OUTPUT_H
#define LINK_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Room is asked for only while there is none: a peer that reads would wake us for nothing. */
#define LINK_EVENTS ((uint32_t)(EPOLLIN | EPOLLRDHUP | EPOLLET))

/* A new descriptor, or -1: what was not sent is forgotten. */
void output_reset(int fd);
void output_writable(void);
bool output_is_writable(void);
bool output_has_room(uint32_t bytes);
/* Gives memory back that a burst has used. */
bool output_is_large(void);
void output_trim(void);

#endif
