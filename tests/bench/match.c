/*
 * Plans pairs for the yardstick's files (MATCHING.md, "Formats"):
 *   bench-match --people p.csv --history h.csv --out pairs.txt [--exact] [--boost] [--coverage]
 *   bench-match --edges g.txt --out m.txt
 * The last line is `pairs P weight W bound B seconds S memory_mb M`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "matching/matching.h"

struct input {
	struct matching_person *person;
	uint32_t count;
	struct matching_pair *met;
	size_t mets;
	struct matching_edge *edge;
	size_t edges;
};

static _Noreturn void
die(const char *what, const char *name)
{
	fprintf(stderr, "bench-match: %s %s\n", what, name);
	exit(2);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static FILE *
open_file(const char *name, const char *mode)
{
	FILE *f = fopen(name, mode);

	if (!f)
		die("cannot open", name);
	return f;
}

/* "3|7|12" as bits; "-" is none. */
static uint32_t
list(const char *text)
{
	uint32_t bits = 0;
	char *end;

	for (; *text && *text != '-'; text = *end == '|' ? end + 1 : end) {
		long bit = strtol(text, &end, 10);

		if (end == text || bit < 0 || bit > 31)
			die("a list is wrong:", text);
		bits |= 1u << bit;
	}
	return bits;
}

static void
read_person(char *line, struct matching_person *p)
{
	char *field[17];

	for (int i = 0; i < 17; i++) {
		field[i] = strsep(&line, ",\n");
		if (!field[i])
			die("a row is too short", "");
	}
#define NUMBER(i) strtol(field[i], NULL, 10)
	*p = (struct matching_person){.org = (int32_t)NUMBER(1),
	    .org2 = (int32_t)NUMBER(2),
	    .side = (uint8_t)NUMBER(3),
	    .region = (uint8_t)NUMBER(4),
	    .level = {(uint8_t)NUMBER(5), (uint8_t)NUMBER(6), (uint8_t)NUMBER(7)},
	    .topics = list(field[8]),
	    .goals = (uint8_t)list(field[9]),
	    .slots = list(field[10]),
	    .mode = (uint8_t)NUMBER(11),
	    .cross = (uint8_t)NUMBER(12),
	    .woman = (uint8_t)NUMBER(13),
	    .women_only = (uint8_t)NUMBER(14),
	    .years = (uint8_t)NUMBER(15)};
}

static void *
more(void *old, size_t count, size_t size)
{
	/* Doubling at powers of two. */
	if (count & (count - 1))
		return old;
	old = realloc(old, (count ? 2 * count : 1) * size);
	if (!old)
		die("out of memory", "");
	return old;
}

static void
read_people(struct input *in, const char *people, const char *history)
{
	FILE *f = open_file(people, "r");
	char line[1024];

	if (!fgets(line, sizeof(line), f))
		die("empty", people);
	while (fgets(line, sizeof(line), f)) {
		in->person = more(in->person, in->count, sizeof(*in->person));
		read_person(line, &in->person[in->count++]);
	}
	fclose(f);
	if (!history || !strcmp(history, "-"))
		return;
	f = open_file(history, "r");
	if (!fgets(line, sizeof(line), f))
		die("empty", history);
	while (fgets(line, sizeof(line), f)) {
		struct matching_pair p;

		if (sscanf(line, "%" SCNu32 ",%" SCNu32, &p.a, &p.b) != 2 || p.a >= in->count ||
		    p.b >= in->count)
			die("a row is wrong:", line);
		in->met = more(in->met, in->mets, sizeof(*in->met));
		in->met[in->mets++] = p;
	}
	fclose(f);
}

static uint32_t
read_edges(struct input *in, const char *name)
{
	FILE *f = open_file(name, "r");
	uint32_t n;
	size_t m;

	if (fscanf(f, "%" SCNu32 " %zu", &n, &m) != 2)
		die("no header:", name);
	in->edge = calloc(m ? m : 1, sizeof(*in->edge));
	if (!in->edge)
		die("out of memory", "");
	for (; in->edges < m; in->edges++) {
		struct matching_edge *e = &in->edge[in->edges];

		if (fscanf(f, "%" SCNu32 " %" SCNu32 " %" SCNd32, &e->a, &e->b, &e->weight) != 3 ||
		    e->a >= n || e->b >= n)
			die("an edge is wrong in", name);
	}
	fclose(f);
	return n;
}

static int
by_ends(const void *x, const void *y)
{
	const struct matching_edge *a = x, *b = y;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	return (a->b > b->b) - (a->b < b->b);
}

static void
write_edges(struct input *in, uint32_t n, const struct matching_result *r, FILE *f)
{
	for (size_t i = 0; i < in->edges; i++)
		if (in->edge[i].a > in->edge[i].b) {
			uint32_t t = in->edge[i].a;

			in->edge[i].a = in->edge[i].b;
			in->edge[i].b = t;
		}
	qsort(in->edge, in->edges, sizeof(*in->edge), by_ends);
	fprintf(f, "%" PRIu32 " %" PRIu32 "\n", n, r->pairs);
	for (size_t i = 0; i < in->edges; i++) {
		const struct matching_edge *e = &in->edge[i];

		if (r->partner[e->a] == (int32_t)e->b && (i + 1 == in->edges || by_ends(e, e + 1)))
			fprintf(f, "%" PRIu32 " %" PRIu32 " %" PRId32 "\n", e->a, e->b, e->weight);
	}
}

static const char *
option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return NULL;
}

static bool
flag(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}

static struct matching_result
plan(struct input *in, const char *people, const char *history, const struct matching_options *o)
{
	struct matching_result result;
	struct matching *m;

	read_people(in, people, history);
	m = matching_new(&(struct matching_people){
	    .person = in->person, .count = in->count, .met = in->met, .mets = in->mets});
	result = matching_run(m, o);
	matching_free(m);
	return result;
}

int
main(int argc, char **argv)
{
	const char *people = option(argc, argv, "--people"), *edges = option(argc, argv, "--edges");
	const char *out = option(argc, argv, "--out"), *seed = option(argc, argv, "--seed");
	struct matching_options o = {.seed = seed ? strtoull(seed, NULL, 10) : 1,
	    .exact = flag(argc, argv, "--exact"),
	    .boost = flag(argc, argv, "--boost"),
	    .coverage_first = flag(argc, argv, "--coverage")};
	struct input in = {0};
	struct matching_result r;
	struct rusage usage;
	double begin = seconds(), end;
	FILE *f;

	if ((!people == !edges) || !out)
		die("--people FILE [--history FILE] or --edges FILE, and --out FILE", "");
	if (edges) {
		uint32_t n = read_edges(&in, edges);

		in.count = n;
		r = matching_edges(n, in.edge, in.edges, &o);
	} else {
		r = plan(&in, people, option(argc, argv, "--history"), &o);
	}
	end = seconds();
	getrusage(RUSAGE_SELF, &usage);
	f = open_file(out, "w");
	if (edges)
		write_edges(&in, in.count, &r, f);
	for (uint32_t v = 0; people && v < in.count; v++)
		if (r.partner[v] > (int32_t)v)
			fprintf(f, "%" PRIu32 " %" PRId32 "\n", v, r.partner[v]);
	if (fclose(f))
		die("cannot write", out);
	printf("pairs %" PRIu32 " weight %" PRId64 " bound %" PRId64
	       " seconds %.3f memory_mb %.1f\n",
	    r.pairs, r.weight, r.bound, end - begin, (double)usage.ru_maxrss / 1024);
	free(r.partner);
	free(in.person);
	free(in.met);
	free(in.edge);
	return 0;
}
