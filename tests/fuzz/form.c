/* Any bytes as a questionnaire, which coordinators paste and send as files: read, or refused with a
 * word; what was read is written and read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

static void
bounded(const struct form *form)
{
	demand(form->count >= 0 && form->count <= CELLS_QUESTIONS);
	for (int i = 0; i < form->count; i++) {
		const struct form_question *q = &form->questions[i];

		demand(q->id != NULL);
		demand(q->options_count >= 0 && q->options_count <= CELLS_OPTIONS);
		demand(q->parent < i && q->parent >= -1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	const char *why = NULL, *again;
	struct form *form;
	struct cells_form cells;
	char *text;

	if (!arena)
		arena = arena_new();
	form = form_read(arena, arena_copy(arena, data, size), size, &why);
	if (!form) {
		demand(why && *why);
		arena_forget(arena);
		return 0;
	}
	bounded(form);
	text = form_write(arena, form);
	if (!form_problem(arena, form)) {
		form_cells(form, &cells);
		for (int i = 0; i < FORM_LANGUAGES; i++)
			form_lacks(form, i);
	}
	form = form_read(arena, text, strlen(text), &why);
	demand(form != NULL);
	again = form_write(arena, form);
	demand(!strcmp(text, again));
	arena_forget(arena);
	return 0;
}
