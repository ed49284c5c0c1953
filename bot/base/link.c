#include "base/link.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"

static const char *
scheme_of(const char *text)
{
	if (!strncasecmp(text, "https://", 8))
		return "https://";
	return strncasecmp(text, "http://", 7) ? NULL : "http://";
}

static bool
host_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.';
}

/* "example.org" or "example.org:8080": a name with a dot in it, whose last part is no number. */
static bool
host_good(const char *host, size_t length)
{
	size_t name = 0, last = 0;

	while (name < length && host_letter(host[name])) {
		if (host[name] == '.')
			last = name;
		name++;
	}
	if (!last || last + 2 >= name || host[0] == '.' || memmem(host, length, "..", 2) ||
	    (host[last + 1] >= '0' && host[last + 1] <= '9'))
		return false;
	if (name == length)
		return true;
	return host[name] == ':' && length - name > 1 && length - name <= 6 &&
	       strspn(host + name + 1, "0123456789") == length - name - 1;
}

char *
link_clean(struct arena *arena, const char *text)
{
	static const char plain[] = "-._~:/?#[]@!$&'()*+,;=%";
	const char *scheme = scheme_of(text), *at = scheme ? text + strlen(scheme) : text;
	size_t host = strcspn(at, "/?#"), n = 0;
	char *out;

	if (!scheme || strlen(text) > LINK_BYTES || !host_good(at, host))
		return NULL;
	out = arena_alloc(arena, strlen(scheme) + 3 * strlen(at) + 1);
	for (const char *s = scheme; *s; s++)
		out[n++] = *s;
	for (size_t i = 0; at[i]; i++) {
		unsigned char c = (unsigned char)at[i];

		if (c <= ' ' || c == 0x7f)
			return NULL;
		if (host_letter((char)c) || strchr(plain, c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = "0123456789ABCDEF"[c >> 4];
		out[n++] = "0123456789ABCDEF"[c & 15];
	}
	out[n] = 0;
	return n <= LINK_BYTES ? out : NULL;
}

char *
link_host(struct arena *arena, const char *link)
{
	const char *at = strstr(link, "//");

	at = at ? at + 2 : link;
	return arena_copy(arena, at, strcspn(at, "/?#"));
}
