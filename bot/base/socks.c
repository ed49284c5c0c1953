#include "base/socks.h"

#include <arpa/inet.h>
#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, CONNECT = 1, IPV4 = 1, NAME = 3, IPV6 = 4 };

enum socks_step
socks_greeting(const uint8_t *bytes, size_t length, size_t *used, bool *open)
{
	*open = false;
	if (length > 0 && bytes[0] != VERSION)
		return SOCKS_WRONG;
	if (length < 2 || length < (size_t)2 + bytes[1])
		return SOCKS_MORE;
	*used = (size_t)2 + bytes[1];
	*open = memchr(bytes + 2, NO_AUTHENTICATION, bytes[1]) != NULL;
	return SOCKS_DONE;
}

/* A name holds nothing but letters, digits, hyphens, underscores and dots: so it can stand in a log
 * and is compared byte by byte. */
static bool
take_name(char *host, const uint8_t *name, size_t length)
{
	if (length > 1 && name[length - 1] == '.')
		length--;
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint8_t c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c - 'A' + 'a');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
		    c != '.')
			return false;
		host[i] = (char)c;
	}
	host[length] = 0;
	return true;
}

/* Bytes of the address behind the four of the head; 0 for a type that is unknown. */
static size_t
address_length(const uint8_t *bytes, size_t length)
{
	switch (bytes[3]) {
	case IPV4:
		return 4;
	case IPV6:
		return 16;
	case NAME:
		return length < 5 ? 1 : (size_t)1 + bytes[4];
	default:
		return 0;
	}
}

static enum socks_step
wrong(enum socks_reply *reply, enum socks_reply why)
{
	*reply = why;
	return SOCKS_WRONG;
}

enum socks_step
socks_request(const uint8_t *bytes, size_t length, size_t *used, struct socks_target *target,
    enum socks_reply *reply)
{
	size_t n;

	*reply = SOCKS_FAILED;
	if (length > 0 && bytes[0] != VERSION)
		return SOCKS_WRONG;
	if (length < 4)
		return SOCKS_MORE;
	if (bytes[1] != CONNECT)
		return wrong(reply, SOCKS_NO_COMMAND);
	n = address_length(bytes, length);
	if (n == 0)
		return wrong(reply, SOCKS_NO_ADDRESS_TYPE);
	if (length < 4 + n + 2)
		return SOCKS_MORE;
	if (bytes[3] == NAME && !take_name(target->host, bytes + 5, n - 1))
		return wrong(reply, SOCKS_NOT_ALLOWED);
	if (bytes[3] != NAME && !inet_ntop(bytes[3] == IPV4 ? AF_INET : AF_INET6, bytes + 4,
				    target->host, sizeof(target->host)))
		return SOCKS_WRONG;
	target->port = (uint16_t)(bytes[4 + n] << 8 | bytes[5 + n]);
	*used = 4 + n + 2;
	return SOCKS_DONE;
}

/* The address we connected from is nobody's business: always 0.0.0.0:0. */
void
socks_answer(uint8_t out[SOCKS_REPLY_BYTES], enum socks_reply reply)
{
	memset(out, 0, SOCKS_REPLY_BYTES);
	out[0] = VERSION;
	out[1] = (uint8_t)reply;
	out[3] = IPV4;
}
