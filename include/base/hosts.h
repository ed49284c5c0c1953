/* Where the egress proxy may connect to: a list of names with a port each. Pure. */
#ifndef BASE_HOSTS_H
#define BASE_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

struct hosts;

/* What the addresses of an allowed host may be. */
enum host_reach {
	HOST_PUBLIC,   /* on the public internet only */
	HOST_PRIVATE,  /* or in the networks of one's own house (RFC 1918, fc00::/7) */
	HOST_LITERAL,  /* the configuration names this very address */
	HOST_LOOPBACK, /* this machine, and nothing else */
};

struct host_rule {
	enum host_reach reach;
	int family; /* 4, 6, or 0 for both */
};

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);
/* NAME, NAME:PORT, *.NAME:PORT (all below NAME), 192.0.2.1:PORT, [2001:db8::1]:PORT; without a port
 * it is 443. `inside`: it may have private addresses. NULL, or what was expected. */
const char *hosts_allow(struct hosts *hosts, const char *text, bool inside, int family);
/* The host of an https:// or http:// URL; any other URL is nothing to allow. */
const char *hosts_allow_url(struct hosts *hosts, const char *url, int family);
/* Host in lower case. False: nobody may go there. */
bool hosts_find(const struct hosts *hosts, const char *host, uint16_t port, struct host_rule *rule);
int hosts_count(const struct hosts *hosts);
/* The port of the i-th entry. */
uint16_t hosts_port(const struct hosts *hosts, int i);

#endif
