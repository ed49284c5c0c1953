/*
 * SOCKS5 (RFC 1928), the server's side, as far as the egress proxy speaks it: no authentication,
 * CONNECT only. Pure: bytes in, a target out; any bytes at all may come.
 */
#ifndef BASE_SOCKS_H
#define BASE_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SOCKS_MOST = 262, /* bytes of the longest message a client has to send */
	SOCKS_REPLY_BYTES = 10,
};

enum socks_step {
	SOCKS_MORE,  /* not whole yet */
	SOCKS_DONE,  /* *used bytes were it */
	SOCKS_WRONG, /* end the connection; after a request, with *reply */
};

enum socks_reply {
	SOCKS_GRANTED = 0,
	SOCKS_FAILED = 1,
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_NO_NETWORK = 3,
	SOCKS_NO_HOST = 4,
	SOCKS_REFUSED = 5,
	SOCKS_LATE = 6,
	SOCKS_NO_COMMAND = 7,
	SOCKS_NO_ADDRESS_TYPE = 8,
};

/* host is a name in lower case without a dot at its end, or an address as inet_ntop() writes it. */
struct socks_target {
	char host[256];
	uint16_t port;
};

/* *open: the client can do without authentication. */
enum socks_step socks_greeting(const uint8_t *bytes, size_t length, size_t *used, bool *open);
enum socks_step socks_request(const uint8_t *bytes, size_t length, size_t *used,
    struct socks_target *target, enum socks_reply *reply);
void socks_answer(uint8_t out[SOCKS_REPLY_BYTES], enum socks_reply reply);

#endif
