/*
 * bench-bombs FOLDER: reads FOLDER/{feed,calendar,telegram_json,matrix_json,form} as strangers'
 * input with the release build; the dearest of each kind in milliseconds of CPU, the least of three
 * readings. Exit status 1 when one costs more than LIMIT_MS.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/calendar.h"
#include "base/feed.h"
#include "base/form.h"
#include "base/zone.h"
#include "transports/matrix_parse.h"
#include "transports/telegram_json.h"

enum { LIMIT_MS = 100, YEAR_S = 366 * 86400 };

static struct arena *arena;
static struct zones *zones;

static void
read_feed(const void *bytes, size_t length)
{
	feed_parse(arena, bytes, length, NULL);
}

static void
read_calendar(const void *bytes, size_t length)
{
	const int64_t now_s = 1767225600;
	struct instance *list;
	struct calendar *c = calendar_parse(arena, bytes, length, zones, "Asia/Jerusalem");

	if (c)
		calendar_between(c, now_s, now_s + YEAR_S, &list);
}

static void
read_telegram(const void *bytes, size_t length)
{
	static const struct telegram_me me = {.id = 42, .username = "alum_bot"};
	struct telegram_answer answer;
	struct telegram_updates updates;

	telegram_json_answer(bytes, length, &answer);
	telegram_json_updates(arena, &me, answer.result, &updates);
}

static void
read_matrix(const void *bytes, size_t length)
{
	json_decref(matrix_parse(bytes, length));
}

static void
read_form(const void *bytes, size_t length)
{
	const char *why;

	if (length <= FORM_BYTES) /* longer ones are refused before */
		form_read(arena, bytes, length, &why);
}

static const struct kind {
	const char *name;
	void (*read)(const void *bytes, size_t length);
} kinds[] = {
    {"feed", read_feed},
    {"calendar", read_calendar},
    {"telegram_json", read_telegram},
    {"matrix_json", read_matrix},
    {"form", read_form},
};

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
cost_ms(const struct kind *k, const char *bytes, size_t length)
{
	double least = 1e9;

	for (int i = 0; i < 3; i++) {
		double begun = cpu_ms(), took;

		k->read(bytes, length);
		arena_forget(arena);
		took = cpu_ms() - begun;
		least = took < least ? took : least;
	}
	return least;
}

static char *
file_bytes(const char *path, size_t *length)
{
	FILE *f = fopen(path, "rb");
	char *bytes = NULL;
	long size;

	*length = 0;
	if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0) {
		rewind(f);
		bytes = malloc((size_t)size + 1);
		if (bytes)
			*length = fread(bytes, 1, (size_t)size, f);
	}
	if (f)
		fclose(f);
	return bytes;
}

/* How many cost too much. */
static int
one_kind(const struct kind *k, const char *folder)
{
	char path[700], dearest[300] = "";
	double worst = 0;
	int count = 0, over = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", folder, k->name);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		size_t length;
		double ms;
		char *bytes;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder, k->name, e->d_name);
		bytes = file_bytes(path, &length);
		ms = bytes ? cost_ms(k, bytes, length) : 0;
		free(bytes);
		count++;
		if (ms > LIMIT_MS)
			printf("over: %s/%s %.1f ms\n", k->name, e->d_name, ms);
		over += ms > LIMIT_MS;
		if (ms > worst) {
			worst = ms;
			snprintf(dearest, sizeof(dearest), "%s", e->d_name);
		}
	}
	if (d)
		closedir(d);
	printf("%s: %d bombs, dearest %.1f ms of CPU (%s), %d over %d ms\n", k->name, count, worst,
	    dearest, over, LIMIT_MS);
	return over || !count;
}

int
main(int argc, char **argv)
{
	int bad = 0;

	arena = arena_new();
	zones = zones_open(NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		bad += one_kind(&kinds[i], argc > 1 ? argv[1] : ".");
	zones_close(zones);
	arena_free(arena);
	return bad > 0;
}
