/* Media in on standard input, the same without metadata on standard output; 1 when it was refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/strip.h"

enum { MOST = 32 << 20 };

int
main(void)
{
	struct arena *arena = arena_new();
	char *bytes = malloc(MOST);
	size_t length = fread(bytes, 1, MOST, stdin);
	struct stripped clean = strip_media(arena, bytes, length);
	int status = clean.kind == STRIP_NONE;

	if (!status)
		fwrite(clean.bytes, 1, clean.length, stdout);
	free(bytes);
	arena_free(arena);
	return status;
}
