/* Any bytes from a SOCKS client: taken byte by byte as in one piece, never read past their end; a
 * target's name is clean. Then the same bytes as an entry of the list of hosts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hosts.h"
#include "base/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

/* Of exactly `length` bytes on the heap, so that a byte too far is seen. */
static enum socks_step
request(const uint8_t *data, size_t length, size_t *used, struct socks_target *target)
{
	uint8_t *copy = malloc(length ? length : 1);
	enum socks_reply reply = SOCKS_GRANTED;
	enum socks_step step;

	if (length)
		memcpy(copy, data, length);
	step = socks_request(copy, length, used, target, &reply);
	demand(step != SOCKS_WRONG || reply != SOCKS_GRANTED);
	free(copy);
	return step;
}

static void
clean(const struct socks_target *t)
{
	size_t n = strlen(t->host);

	demand(n > 0 && n <= 255);
	demand(strspn(t->host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") == n);
}

static void
a_client(const uint8_t *data, size_t size)
{
	struct socks_target whole, part;
	size_t used = 0, again = 0, n = size < SOCKS_MOST ? size : SOCKS_MOST;
	enum socks_step step = request(data, n, &used, &whole), early = SOCKS_MORE;
	bool open;

	for (size_t i = 0; i <= n && early == SOCKS_MORE; i++)
		early = request(data, i, &again, &part);
	demand(early == step);
	demand(step != SOCKS_MORE || size < SOCKS_MOST);
	if (step == SOCKS_DONE) {
		clean(&whole);
		demand(used == again && used <= n && whole.port == part.port &&
		       !strcmp(whole.host, part.host));
	}
	if (socks_greeting(data, size, &used, &open) == SOCKS_DONE)
		demand(used >= 2 && used <= size);
}

static void
an_entry(const uint8_t *data, size_t size)
{
	struct hosts *hosts = hosts_new();
	struct host_rule rule;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = 0;
	if (!hosts_allow(hosts, text, false, 0))
		demand(hosts_count(hosts) == 1 && hosts_port(hosts, 0) > 0);
	hosts_allow_url(hosts, text, 0);
	demand(!hosts_find(hosts, "", 443, &rule));
	hosts_find(hosts, text, 443, &rule);
	free(text);
	hosts_free(hosts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	a_client(data, size);
	if (size < 400)
		an_entry(data, size);
	return 0;
}
