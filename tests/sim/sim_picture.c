/* base/picture.h without the drawing program: which picture it is does not matter here, and one
 * process for each would cost more than all the rest. */
#include "base/picture.h"

#include <string.h>

#include "base/arena.h"

size_t
picture_bars(struct arena *arena, const char *lines, size_t length, const void **png)
{
	static const unsigned char bytes[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

	(void)lines;
	if (!length)
		return 0;
	*png = arena_copy(arena, bytes, sizeof(bytes));
	return sizeof(bytes);
}
