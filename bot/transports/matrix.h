/*
 * Matrix: listens by /sync and sends through io/http, encrypted end to end (matrix_crypto.h). One
 * lane of one connection polls, one of `connections` sends, one does what is neither (keys, joins,
 * receipts), so that no poll and no slow join stands before a reply. Facts: MATRIX.md.
 *
 * The cursor is "USER\nSINCE". State rows: "c/…" are the encryption's, "oc/…" this transport's own
 * (session, rooms, invitations, gaps), both named by a keyed hash and sealed.
 */
#ifndef TRANSPORTS_MATRIX_H
#define TRANSPORTS_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/transport.h"
#include "io/http.h"

struct loop;

enum { MATRIX_KEY_BYTES = 32 };

/* Why a room is left or an invitation refused. */
enum matrix_reason {
	MATRIX_REASON_SWITCHED_OFF, /* it is encrypted, and encryption is off here */
	MATRIX_REASON_UNKNOWN,	    /* it is encrypted in a way we do not know */
	MATRIX_REASON_TOO_LARGE,
	MATRIX_REASON_PRIVATE, /* only private chats are taken up */
	MATRIX_REASONS,
};

struct matrix_options {
	struct loop *loop;
	struct http *http;
	const char *homeserver; /* "https://matrix.example.org"; copied */
	const char *user;	/* "@alumhub:example.org"; copied */
	/* At least one of the two; white space at the ends is not part of them; copied. With a
	 * password a new device can be made when the old one is lost. */
	const char *access_token, *password;
	const unsigned char *key; /* MATRIX_KEY_BYTES, the same at every start: seals the rows */
	bool encryption;	  /* false: encrypted rooms are left with a word */
	const char *const *allow_servers; /* whose invitations are taken; "*": all; copied */
	/* What is said with each: people who have chosen no language see it; NULL: nothing. Copied. */
	const char *const *reasons;
	double per_second; /* bulk messages, for the engine */
	int connections;   /* for sending; 0: 8 */
	int poll_ms;	   /* how long the server may hold a poll; 0: 30,000 */
};

/* "@name:server". */
bool matrix_is_user(const char *user);
/* NULL when user, token and password do not look like what they should be. Freed by its close(). */
struct transport *matrix_new(const struct matrix_options *options);

#endif
