/* Which addresses a request may be made to. */
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* 127/8 and ::1. */
bool address_loopback(const struct sockaddr *address);
/* On the public internet: outside of the special-purpose registries of IANA (RFC 6890 and what
 * updates it), and not an IPv4 address in an IPv6 disguise. */
bool address_public(const struct sockaddr *address);
/* In one's own house: RFC 1918 and fc00::/7. Link-local, where clouds keep their secrets, is not. */
bool address_private(const struct sockaddr *address);

#endif
