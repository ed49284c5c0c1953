#include "transports/console_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MOST = 20 * 1000 * 1000 };

static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void
console_file_on(struct console_files *files, struct event *event, const char *path)
{
	snprintf(files->path, sizeof(files->path), "%s", path);
	event->media = (struct media){.kind = MEDIA_FILE,
	    .handle = files->path,
	    .name = name_of(files->path),
	    .bytes = -1,
	    .duration_s = -1};
}

void
console_file_asked(struct console_files *files, const struct shipment *shipment)
{
	if (files->count < CONSOLE_FILES)
		files->asked[files->count++] = shipment->id;
}

static char *
read_whole(const char *path, size_t *length)
{
	FILE *f = fopen(path, "rb");
	char *bytes;

	if (!f)
		return NULL;
	bytes = memory_new(MOST);
	*length = fread(bytes, 1, MOST, f);
	fclose(f);
	return bytes;
}

bool
console_file_bring(
    struct console_files *files, struct transport *transport, const struct transport_up *up)
{
	int n = files->count;

	files->count = 0;
	for (int i = 0; i < n; i++) {
		size_t length = 0;
		char id[40], *bytes = read_whole(files->path, &length);
		struct event event = {.id = id,
		    .kind = EVENT_FETCHED,
		    .media = {.kind = MEDIA_FILE,
			.handle = files->path,
			.bytes = (int64_t)length,
			.duration_s = -1,
			.content = bytes,
			.failed = !bytes,
			.asked_by = files->asked[i]}};
		struct batch batch = {.events = &event, .event_count = 1};

		snprintf(id, sizeof(id), "fetched-%lld", (long long)files->asked[i]);
		up->came(up->engine, transport, &batch);
		free(bytes);
	}
	return n > 0;
}
