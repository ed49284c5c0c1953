/*
 * A fuzzer without coverage, for where no clang is: every file of the folders given, and then changed copies of them for
 * some seconds, from one seed. What `make fuzz` finds with clang stays found in every `make test`.
 *
 *   fuzz_x SECONDS FOLDER…
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 512, MOST = 1 << 16 };

static struct input {
	uint8_t *bytes;
	size_t size;
} inputs[FILES];
static size_t count;
static uint64_t state = 88172645463325252u;

static uint64_t
next(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static void
read_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[600];

	while (d && count < FILES && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
		if (!f)
			continue;
		inputs[count].bytes = malloc(MOST);
		inputs[count].size = fread(inputs[count].bytes, 1, MOST, f);
		count++;
		fclose(f);
	}
	if (d)
		closedir(d);
}

/* One piece is changed, taken out, doubled, or comes from another input. */
static size_t
change(uint8_t *to, const struct input *from)
{
	const struct input *other = &inputs[next(count)];
	size_t size = from->size, at = size ? next(size) : 0, n;

	memcpy(to, from->bytes, size);
	for (uint64_t i = next(4); size && i > 0; i--)
		to[next(size)] =
		    next(3) ? (uint8_t)next(256) : (uint8_t) "\n\x00\xff\"[=.1"[next(8)];
	n = size - at < 64 ? size - at : 64;
	n = n ? next(n) : 0;
	if (next(3) == 0) {
		memmove(to + at, to + at + n, size - at - n);
		size -= n;
	} else if (next(2) && other->size) {
		size_t start = next(other->size), length = other->size - start;

		length = length < MOST - at ? length : MOST - at;
		memcpy(to + at, other->bytes + start, length);
		size = at + length > size ? at + length : size;
	} else if (size + n <= MOST) {
		memmove(to + at + n, to + at, size - at);
		size += n;
	}
	return size;
}

int
main(int argc, char **argv)
{
	static uint8_t changed[MOST];
	time_t end = time(NULL) + (argc > 1 ? strtol(argv[1], NULL, 10) : 1);
	long runs = 0;

	for (int i = 2; i < argc; i++)
		read_folder(argv[i]);
	for (size_t i = 0; i < count; i++, runs++)
		LLVMFuzzerTestOneInput(inputs[i].bytes, inputs[i].size);
	for (; count && time(NULL) < end; runs++) {
		/* A copy of its own size, so that one byte too far is seen. */
		size_t size = change(changed, &inputs[next(count)]);
		uint8_t *copy = malloc(size ? size : 1);

		memcpy(copy, changed, size);
		LLVMFuzzerTestOneInput(copy, size);
		free(copy);
	}
	printf("%zu files, %ld runs\n", count, runs);
	return count == 0;
}
