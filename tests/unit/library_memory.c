/*
 * The nth allocation of ICU's is refused while texts are cleaned, folded and cut, dates written,
 * days of the almanac computed, zones of a calendar found, a feed decoded, plurals chosen; and of
 * OpenSSL's while a file is encrypted and read again. Each point is a process of its own: it ends
 * with "out of memory" as the bot does, or says that it could not, or what it says is right. Never
 * a crash, never another word. A sample; LONG=1 takes up to 1,500 points of each. libical 3.0 has
 * no such place to stand in.
 */
#include "unit.h"

#include <dlfcn.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/almanac.h"
#include "base/arena.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/feed.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "io/http.h"
#include "transports/matrix_file.h"

enum { POINTS = 6, POINTS_LONG = 1500, SECONDS = 20, SAID = 1 << 16 };

static const char could_not[] = "it could not\n";

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "exitcode=99:detect_leaks=0";
}

/* ---- memory that is refused: to ICU itself, and to what the bot gives it instead ---- */

void *__interceptor_malloc(size_t size);
void *__interceptor_realloc(void *old, size_t size);

/* Called before the sanitizer has begun. */
#define EARLY __attribute__((no_sanitize("address", "undefined")))

static bool counting;
static const char *library;
static int64_t count, refuse_at;

EARLY static bool
refused(const void *caller, bool ours)
{
	Dl_info of;
	bool theirs;

	if (!counting)
		return false;
	counting = false;
	theirs = dladdr(caller, &of) && of.dli_fname && strstr(of.dli_fname, library);
	counting = true;
	return (theirs || (ours && strstr(of.dli_fname, "library_memory"))) && ++count == refuse_at;
}

EARLY void *
malloc(size_t size)
{
	return refused(__builtin_return_address(0), false) ? NULL : __interceptor_malloc(size);
}

EARLY void *
realloc(void *old, size_t size)
{
	return refused(__builtin_return_address(0), true) ? NULL : __interceptor_realloc(old, size);
}

/* ---- what is asked of them ---- */

static struct arena *arena;
static struct zones *zones;
static struct words *words;
static FILE *said;

static void
of_text(void)
{
	static const char *const typed[] = {"na\u0131ve cafe\u0301 \u0644\u0627 \u05d1\u05bc",
	    "\u0645\u064f\u062d\u0645\u0651\u062f \u0623\u0628\u0648 "
	    "\u0639\u0628\u0651\u0627\u0633",
	    "\u05de\u05b7\u05dc\u05b0\u05d0\u05b8\u05da \u05e9\u05dc\u05d5\u05dd",
	    "\U0001f468\u200d\U0001f469\u200d\U0001f467 x"};

	for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++) {
		fprintf(said, "%s|", text_clean(arena, typed[i], strlen(typed[i]), 6));
		fprintf(said, "%s|%zu\n", text_fold(arena, typed[i]), text_cut(typed[i], 5));
	}
}

static void
of_clock(void)
{
	static const char *const languages[] = {"ar", "he", "en", "fr"};
	static const char *const names[] = {"Asia/Hebron", "Asia/Jerusalem", "Europe/Berlin", NULL};

	for (int i = 0; i < 4; i++)
		fprintf(said, "%s\n",
		    clock_when(arena, languages[i], zones, names, "Asia/Jerusalem", 1806000000,
			1806007200, false));
}

static void
of_almanac(void)
{
	struct almanac_day *days;
	size_t n = almanac_between(arena, zones, NULL, 1806000000, 1806000000 + 40 * 86400, &days);

	for (size_t i = 0; i < n; i++)
		fprintf(said, "%s %lld %lld\n", days[i].id ? days[i].id : "",
		    (long long)days[i].first, (long long)days[i].until);
}

static void
of_calendar(void)
{
	static const char file[] =
	    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
	    "DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Israel Standard Time:20270326T190000\r\n"
	    "SUMMARY:\327\251\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
	struct calendar *c = calendar_parse(arena, file, sizeof(file) - 1, zones, "UTC");
	struct instance *found;
	size_t n = c ? calendar_between(c, 0, 4000000000, &found) : 0;

	for (size_t i = 0; i < n; i++)
		fprintf(said, "%s %lld %s\n", found[i].zone, (long long)found[i].start_s,
		    found[i].summary);
}

static void
of_feed(void)
{
	static const char file[] =
	    "<?xml version=\"1.0\" encoding=\"windows-1255\"?><rss "
	    "version=\"2.0\"><channel><title>G</title>"
	    "<item><title>\371\354\345\355</title><guid>1</guid></item></channel></rss>";
	struct feed *f = feed_parse(arena, file, sizeof(file) - 1, &(struct feed_origin){0});

	fprintf(said, "%d %zu %s\n", (int)f->problem, (size_t)f->count,
	    f->count ? f->items[0].title : "");
}

static void
of_words(void)
{
	for (int64_t n = 0; n < 12; n++)
		fprintf(said, "%s|%s\n", words_text(words, arena, "ar", "audit.title", n, NULL),
		    words_text(words, arena, "he", "audit.title", n, NULL));
}

static void
load_words(void)
{
	static const char *const languages[] = {"en", "ar", "he", NULL};
	char *why = NULL;

	words = words_load("config/words", languages, &why);
	if (!words)
		fprintf(said, "%s\n", why);
}

static void
of_file(void)
{
	char bytes[] = "a picture that nobody else may see";
	json_t *file = matrix_file_seal((unsigned char *)bytes, sizeof(bytes));
	const char *key = json_string_value(json_object_get(json_object_get(file, "key"), "k"));
	const char *iv = json_string_value(json_object_get(file, "iv"));
	const char *hash =
	    json_string_value(json_object_get(json_object_get(file, "hashes"), "sha256"));

	if (!file || !matrix_file_open((unsigned char *)bytes, sizeof(bytes), key, iv, hash))
		fputs(could_not, said);
	else
		fprintf(said, "%s\n", bytes);
	json_decref(file);
}

static void
load_sodium(void)
{
	if (sodium_init() < 0)
		abort();
}

static const struct part {
	const char *name;
	void (*prepare)(void), (*run)(void);
} file_part = {"files", load_sodium, of_file}, icu_parts[] = {
						   {"texts", NULL, of_text},
						   {"dates", NULL, of_clock},
						   {"almanac", NULL, of_almanac},
						   {"calendar", NULL, of_calendar},
						   {"feed", NULL, of_feed},
						   {"words", NULL, load_words},
						   {"plurals", load_words, of_words},
};

/* ---- a point ---- */

/* Of the child. */
static struct shared {
	int64_t count;
	char text[SAID];
} * shared;

static void
child(const struct part *part, int64_t n)
{
	static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	char *text;
	size_t length;

	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		signal(deadly[i], SIG_DFL);
	alarm(SECONDS);
	memory_for_json();
	memory_for_icu();
	http_memory();
	arena = arena_new();
	zones = zones_open(NULL);
	said = open_memstream(&text, &length);
	if (part->prepare)
		part->prepare();
	count = 0;
	refuse_at = n;
	counting = true;
	part->run();
	counting = false;
	fclose(said);
	shared->count = count;
	snprintf(shared->text, SAID, "%s", text);
	_exit(0);
}

/* Whether it ended as it does without memory. */
static bool
point(const struct part *part, int64_t n, const char *right)
{
	int status, ends[2];
	char said_last[200] = "";
	pid_t pid;

	shared->text[0] = 0;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		child(part, n);
	}
	close(ends[1]);
	waitpid(pid, &status, 0);
	if (read(ends[0], said_last, sizeof(said_last) - 1) < 0)
		said_last[0] = 0;
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && !strcmp(said_last, "out of memory\n"))
		return true;
	if (status)
		fail_msg("%s, allocation %lld: status %x, %s", part->name, (long long)n,
		    (unsigned)status, said_last);
	if (right && strcmp(shared->text, right) != 0 && strcmp(shared->text, could_not) != 0)
		fail_msg(
		    "%s, allocation %lld: it said %.300s", part->name, (long long)n, shared->text);
	return false;
}

static void
sweep(const struct part *part)
{
	bool all = getenv("LONG") && !strcmp(getenv("LONG"), "1");
	int64_t total, step, n;
	int points = 0, ends = 0;
	char *right;

	assert_false(point(part, 0, NULL));
	total = shared->count;
	right = strdup(shared->text);
	assert_true(total > 0 && right);
	step = total / (all ? POINTS_LONG : POINTS) + 1;
	for (n = 1; n <= total; n += step, points++)
		ends += point(part, n, right);
	printf("# %s: %d of %lld allocations refused, %d times the process ended\n", part->name,
	    points, (long long)total, ends);
	free(right);
}

static void
share(void)
{
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
}

static void
library_memory_of_icu_runs_out(void **state)
{
	(void)state;
	share();
	library = "libicu";
	for (size_t i = 0; i < sizeof(icu_parts) / sizeof(*icu_parts); i++)
		sweep(&icu_parts[i]);
}

static void
library_memory_of_openssl_runs_out(void **state)
{
	(void)state;
	share();
	library = "libcrypto";
	sweep(&file_part);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(library_memory_of_icu_runs_out),
    cmocka_unit_test(library_memory_of_openssl_runs_out),
};

UNIT_RUN(tests)
