#include "base/hosts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { HTTPS = 443, HTTP = 80, HOST_MOST = 255 };

struct entry {
	char *name;
	bool below; /* all names below it, not itself */
	uint16_t port;
	struct host_rule rule;
};

struct hosts {
	struct entry *list;
	int count;
};

static const char expected[] = "expected HOST, HOST:PORT or *.HOST:PORT";

struct hosts *
hosts_new(void)
{
	return memory_new(sizeof(struct hosts));
}

void
hosts_free(struct hosts *hosts)
{
	if (!hosts)
		return;
	for (int i = 0; i < hosts->count; i++)
		free(hosts->list[i].name);
	free(hosts->list);
	free(hosts);
}

static enum host_reach
reach_of(const char *name, bool inside)
{
	unsigned char address[16];

	if (!strcmp(name, "localhost") || !strcmp(name, "::1"))
		return HOST_LOOPBACK;
	if (inet_pton(AF_INET, name, address) == 1)
		return address[0] == 127 ? HOST_LOOPBACK : HOST_LITERAL;
	if (inet_pton(AF_INET6, name, address) == 1)
		return HOST_LITERAL;
	return inside ? HOST_PRIVATE : HOST_PUBLIC;
}

/* In lower case; an IPv6 address in the one way inet_ntop() writes it. */
static bool
take_host(char out[HOST_MOST + 1], const char *text, size_t length)
{
	unsigned char address[16];

	if (length == 0 || length > HOST_MOST)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.:", c) || !c)
			return false;
		out[i] = c;
	}
	out[length] = 0;
	if (!strchr(out, ':'))
		return out[0] != '.';
	return inet_pton(AF_INET6, out, address) == 1 &&
	       inet_ntop(AF_INET6, address, out, HOST_MOST + 1);
}

static bool
take_port(const char *text, uint16_t otherwise, uint16_t *port)
{
	char *end;
	long n;

	*port = otherwise;
	if (!*text)
		return true;
	if (text[0] != ':' || text[1] < '0' || text[1] > '9')
		return false;
	n = strtol(text + 1, &end, 10);
	*port = (uint16_t)n;
	return !*end && n > 0 && n <= UINT16_MAX;
}

/* `text` ends where the port does. */
static const char *
allow(struct hosts *hosts, const char *text, uint16_t port, bool inside, int family)
{
	struct entry e = {.below = !strncmp(text, "*.", 2), .rule = {.family = family}};
	char name[HOST_MOST + 1];
	size_t length;

	if (e.below)
		text += 2;
	if (*text == '[' && !e.below) {
		length = strcspn(++text, "]");
		if (!text[length] || !take_host(name, text, length) || !strchr(name, ':'))
			return expected;
		text++;
	} else {
		length = strcspn(text, ":");
		if (!take_host(name, text, length))
			return expected;
	}
	if (!take_port(text + length, port, &e.port))
		return expected;
	e.rule.reach = reach_of(name, inside);
	if (e.below && (e.rule.reach == HOST_LITERAL || e.rule.reach == HOST_LOOPBACK))
		return expected;
	e.name = memory_string(name);
	hosts->list = memory_resize(hosts->list, (size_t)(hosts->count + 1) * sizeof(*hosts->list));
	hosts->list[hosts->count++] = e;
	return NULL;
}

const char *
hosts_allow(struct hosts *hosts, const char *text, bool inside, int family)
{
	return allow(hosts, text, HTTPS, inside, family);
}

const char *
hosts_allow_url(struct hosts *hosts, const char *url, int family)
{
	bool secure = !strncmp(url, "https://", 8);
	char place[HOST_MOST + 10];
	size_t length;

	if (!secure && strncmp(url, "http://", 7) != 0)
		return NULL;
	url += secure ? 8 : 7;
	length = strcspn(url, "/?#");
	if (length >= sizeof(place) || *url == '*')
		return expected;
	memcpy(place, url, length);
	place[length] = 0;
	return allow(hosts, place, secure ? HTTPS : HTTP, false, family);
}

static bool
is_below(const char *host, const char *name)
{
	size_t h = strlen(host), n = strlen(name);

	return h > n + 1 && host[h - n - 1] == '.' && !strcmp(host + h - n, name);
}

bool
hosts_find(const struct hosts *hosts, const char *host, uint16_t port, struct host_rule *rule)
{
	for (int i = 0; i < hosts->count; i++) {
		const struct entry *e = &hosts->list[i];

		if (e->port != port ||
		    !(e->below ? is_below(host, e->name) : !strcmp(host, e->name)))
			continue;
		*rule = e->rule;
		return true;
	}
	return false;
}

int
hosts_count(const struct hosts *hosts)
{
	return hosts->count;
}

uint16_t
hosts_port(const struct hosts *hosts, int i)
{
	return hosts->list[i].port;
}
