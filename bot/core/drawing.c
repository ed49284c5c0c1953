/* Pictures that people ask for: drawn as work, told when they are there. */
#include "core/drawing.h"

#include "base/card.h"
#include "base/picture.h"

struct blob
drawing_run(const struct work_input *input)
{
	struct blob png = {NULL, 0};

	png.length =
	    picture_bars(input->arena, input->input.bytes, input->input.length, &png.bytes);
	return png;
}

void
drawing_tell(struct turn *t, int64_t person, struct card *card, const char *name, struct blob png)
{
	if (png.length)
		card_file(card, file_new(t, name, png.bytes, png.length), name, "image/png",
		    file_key(t, png.bytes, png.length));
	tell(t, person, CLASS_REPLY, 0, card);
}
