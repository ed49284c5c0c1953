/*
 * The way out of a service that has no network of its own: a SOCKS5 proxy on a UNIX socket that
 * connects to allowed hosts only. It resolves names itself and looks at each address it resolved;
 * it keeps nothing, and what passes is TLS between the service and the host.
 *
 * Everything is bounded: connections, bytes (16 KiB each way, and no more is read until they are
 * written), the time for the request, for the connection, and without a byte in either direction.
 */
#ifndef IO_EGRESS_H
#define IO_EGRESS_H

#include <stdint.h>

struct loop;
struct hosts;
struct egress;

/* 0 is the default. */
struct egress_limits {
	int connections;      /* 96; more are turned away at once */
	int64_t handshake_ms; /* 5 s, for the greeting and the request */
	int64_t connect_ms;   /* 9 s, for the name and all its addresses */
	int64_t attempt_ms;   /* 3 s, for an address that is not the last */
	int64_t idle_ms;      /* 180 s without a byte: longer than the longest poll */
	int64_t half_ms;      /* 20 s without a byte, once one side has ended */
};

struct egress_counts {
	int64_t connections, opened, refused, turned_away;
};

/* A socket that listens, closed by egress_close(); limits may be NULL. hosts stays the caller's. */
struct egress *egress_open(
    struct loop *loop, int fd, const struct hosts *hosts, const struct egress_limits *limits);
/* Listens on path, for its user and group alone: a descriptor, or -1 and errno. */
int egress_listen(const char *path);
/* For requests from now on. */
void egress_allow(struct egress *egress, const struct hosts *hosts);
struct egress_counts egress_count(const struct egress *egress);
/* Ends every connection. NULL is ignored. */
void egress_close(struct egress *egress);

#endif
