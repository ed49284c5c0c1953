#include "base/zone.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

enum {
	FILE_BYTES = 256 * 1024,
	NAME_BYTES = 64,
	KINDS = 257,	    /* a file has 256 at most; one more for an override */
	LAST_YEAR = 2500,   /* how far a footer is laid out; later instants keep the last offset */
	LAID_OUT = 2 * 600, /* changes that makes at most */
	AROUND_S = 50 * 3600, /* no wall time is further from its instant, overrides included */
	OFFSET_MAX_S = 26 * 3600,
};
#define FOREVER INT64_MAX

struct kind {
	int32_t offset_s;
	char abbreviation[12];
};

struct change {
	int64_t utc;
	int64_t kind;
};

/* What a zone answers, never changed after it was published: readers take no lock. */
struct table {
	struct table *retired;
	size_t count, kind_count;
	struct change *changes; /* the first is at INT64_MIN */
	struct kind kinds[KINDS];
};

struct zone {
	struct zone *next;
	char *name;
	_Atomic(struct table *) table;
	struct table *base; /* as read, without overrides; under the lock */
	struct stat read;   /* the file then */
};

struct override {
	struct override *next;
	char name[NAME_BYTES];
	struct civil wall;
	int32_t offset_s;
};

struct zones {
	char *directory;
	pthread_mutex_t lock;
	struct zone *zones;
	struct table *retired; /* another thread may still read them */
	struct override *overrides;
};

/* --- tables --------------------------------------------------------------------------------- */

static struct table *
table_new(size_t changes)
{
	struct table *t = memory_new(sizeof(*t));

	t->changes = memory_new((changes ? changes : 1) * sizeof(*t->changes));
	return t;
}

static void
table_free(struct table *t)
{
	if (!t)
		return;
	free(t->changes);
	free(t);
}

static struct table *
table_copy(const struct table *t, size_t more)
{
	struct table *copy = table_new(t->count + more);
	struct change *changes = copy->changes;

	*copy = *t;
	copy->retired = NULL;
	copy->changes = changes;
	memcpy(changes, t->changes, t->count * sizeof(*changes));
	return copy;
}

static int
table_same(const struct table *a, const struct table *b)
{
	return a->count == b->count && a->kind_count == b->kind_count &&
	       !memcmp(a->kinds, b->kinds, a->kind_count * sizeof(a->kinds[0])) &&
	       !memcmp(a->changes, b->changes, a->count * sizeof(a->changes[0]));
}

static void
table_add(struct table *t, int64_t utc, size_t kind)
{
	t->changes[t->count].utc = utc;
	t->changes[t->count++].kind = (int64_t)kind;
}

/* A kind of this offset (and name, unless NULL); the last kind when the file is full of them. */
static size_t
table_kind(struct table *t, int32_t offset_s, const char *name)
{
	struct kind *k;
	int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;

	for (size_t i = t->kind_count; i-- > 0;)
		if (t->kinds[i].offset_s == offset_s &&
		    (!name || !strcmp(t->kinds[i].abbreviation, name)))
			return i;
	if (t->kind_count == KINDS)
		return KINDS - 1;
	k = &t->kinds[t->kind_count];
	k->offset_s = offset_s;
	if (name)
		snprintf(k->abbreviation, sizeof(k->abbreviation), "%s", name);
	else if (minutes % 60)
		snprintf(k->abbreviation, sizeof(k->abbreviation), "%c%02d%02d",
		    offset_s < 0 ? '-' : '+', minutes / 60 % 100, minutes % 60);
	else
		snprintf(k->abbreviation, sizeof(k->abbreviation), "%c%02d",
		    offset_s < 0 ? '-' : '+', minutes / 60 % 100);
	return t->kind_count++;
}

/* The index of the change in force at `utc`. */
static size_t
table_at(const struct table *t, int64_t utc)
{
	size_t low = 0, high = t->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (t->changes[middle].utc <= utc)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int32_t
offset_of(const struct table *t, size_t i)
{
	return t->kinds[t->changes[i].kind].offset_s;
}

static int64_t
end_of(const struct table *t, size_t i)
{
	return i + 1 < t->count ? t->changes[i + 1].utc : FOREVER;
}

/* --- the POSIX footer ----------------------------------------------------------------------- */

struct rule {
	char form; /* 'M', 'J' or 0 for a day counted from 0 with leap days */
	int month, week, day;
	int32_t time_s; /* wall, -167 h to 167 h */
};

struct footer {
	char names[2][12];
	int32_t offsets_s[2];
	struct rule rules[2]; /* to summer time, back */
	int changes;
};

static int
read_number(const char **at, int most)
{
	int n = 0;

	if (**at < '0' || **at > '9')
		return -1;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		n = n * 10 + (**at - '0');
		if (n > most)
			return -1;
	}
	return n;
}

/* [+-]hh[:mm[:ss]]; 0 when it is not that. */
static int
read_time(const char **at, int hours_max, int32_t *time_s)
{
	int sign = 1, part, total, scale = 3600;

	if (**at == '+' || **at == '-')
		sign = *(*at)++ == '-' ? -1 : 1;
	total = read_number(at, hours_max);
	if (total < 0)
		return 0;
	total *= 3600;
	while (**at == ':' && scale > 1) {
		(*at)++;
		scale /= 60;
		part = read_number(at, 59);
		if (part < 0)
			return 0;
		total += part * scale;
	}
	*time_s = sign * total;
	return 1;
}

static int
read_name(const char **at, char name[12])
{
	const char *start = *at;
	size_t length;

	if (*start == '<') {
		const char *end = strchr(++start, '>');

		if (!end)
			return 0;
		length = (size_t)(end - start);
		*at = end + 1;
	} else {
		while ((**at | 32) >= 'a' && (**at | 32) <= 'z')
			(*at)++;
		length = (size_t)(*at - start);
	}
	if (length < 3 || length > 11)
		return 0;
	memcpy(name, start, length);
	name[length] = 0;
	return 1;
}

static int
read_rule(const char **at, struct rule *rule)
{
	if (*(*at)++ != ',')
		return 0;
	if (**at == 'M' || **at == 'J')
		rule->form = *(*at)++;
	if (rule->form == 'M') {
		rule->month = read_number(at, 12);
		if (rule->month < 1 || *(*at)++ != '.')
			return 0;
		rule->week = read_number(at, 5);
		if (rule->week < 1 || *(*at)++ != '.')
			return 0;
	}
	rule->day = read_number(at, rule->form == 'M' ? 6 : 365);
	if (rule->day < (rule->form == 'J'))
		return 0;
	rule->time_s = 7200;
	if (**at != '/')
		return 1;
	(*at)++;
	return read_time(at, 167, &rule->time_s);
}

static int
read_footer(const char *text, struct footer *f)
{
	const char *at = text;

	memset(f, 0, sizeof(*f));
	if (!read_name(&at, f->names[0]) || !read_time(&at, 24, &f->offsets_s[0]))
		return 0;
	f->offsets_s[0] = -f->offsets_s[0];
	if (!*at)
		return 1;
	if (!read_name(&at, f->names[1]))
		return 0;
	f->offsets_s[1] = f->offsets_s[0] + 3600;
	if (*at != ',') {
		if (!read_time(&at, 24, &f->offsets_s[1]))
			return 0;
		f->offsets_s[1] = -f->offsets_s[1];
	}
	f->changes = 1;
	return read_rule(&at, &f->rules[0]) && read_rule(&at, &f->rules[1]) && !*at;
}

/* The wall second at which the rule changes the clock in a year. */
static int64_t
rule_wall(const struct rule *rule, int64_t year)
{
	int64_t day, first;

	if (rule->form == 'M') {
		first = civil_days(year, rule->month, 1);
		day = first + (rule->day - civil_weekday(first) + 7) % 7 + 7 * (rule->week - 1);
		if (day >= first + civil_month_days(year, rule->month))
			day -= 7;
	} else {
		day = civil_days(year, 1, 1) + rule->day;
		if (rule->form == 'J')
			day -= !(civil_leap(year) && rule->day >= 60);
	}
	return day * 86400 + rule->time_s;
}

/* Lays the footer's years out behind the last change of the table. */
static void
table_footer(struct table *t, const struct footer *f)
{
	int64_t last = t->changes[t->count - 1].utc;
	int64_t year = last < 0 ? 1970 : civil_from(last).year;
	size_t kinds[2];

	for (int i = 0; i <= f->changes; i++)
		kinds[i] = table_kind(t, f->offsets_s[i], f->names[i]);
	if (!f->changes) {
		if (t->count == 1)
			t->changes[0].kind = (int64_t)kinds[0];
		return;
	}
	for (; year < LAST_YEAR; year++) {
		int64_t at[2] = {rule_wall(&f->rules[0], year) - f->offsets_s[0],
		    rule_wall(&f->rules[1], year) - f->offsets_s[1]};
		int first = at[1] <= at[0];

		for (int i = 0; i < 2; i++) {
			int which = i ? !first : first;

			if (at[which] > last)
				table_add(t, at[which], kinds[!which]);
		}
	}
}

/* --- TZif ----------------------------------------------------------------------------------- */

struct counts {
	uint32_t isut, isstd, leap, time, type, characters;
	size_t bytes; /* of the block behind the header */
};

static uint32_t
big32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
big64(const unsigned char *p)
{
	return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

static int
read_header(const unsigned char *p, size_t length, size_t width, struct counts *c)
{
	if (length < 44 || memcmp(p, "TZif", 4) != 0)
		return 0;
	c->isut = big32(p + 20);
	c->isstd = big32(p + 24);
	c->leap = big32(p + 28);
	c->time = big32(p + 32);
	c->type = big32(p + 36);
	c->characters = big32(p + 40);
	if (c->isut > 256 || c->isstd > 256 || c->leap > 1000 || c->time > 10000 || c->type < 1 ||
	    c->type > 256 || c->characters > 2048)
		return 0;
	c->bytes = c->time * (width + 1) + c->type * 6u + c->characters + c->leap * (width + 4) +
		   c->isstd + c->isut;
	return length - 44 >= c->bytes;
}

static int
read_kinds(struct table *t, const unsigned char *types, const struct counts *c)
{
	const unsigned char *names = types + c->type * 6u;

	for (uint32_t i = 0; i < c->type; i++) {
		struct kind *k = &t->kinds[i];
		uint32_t at = types[i * 6u + 5];

		k->offset_s = (int32_t)big32(types + i * 6u);
		if (k->offset_s < -OFFSET_MAX_S || k->offset_s > OFFSET_MAX_S ||
		    at >= c->characters)
			return 0;
		for (size_t n = 0; n < sizeof(k->abbreviation) - 1 && at + n < c->characters; n++) {
			k->abbreviation[n] = (char)names[at + n];
			if (!names[at + n])
				break;
		}
	}
	t->kind_count = c->type;
	return 1;
}

/* The block behind a header, whose instants are `width` bytes wide; NULL when it is damaged. */
static struct table *
read_block(const unsigned char *block, size_t width, const struct counts *c)
{
	struct table *t = table_new(c->time + 1 + LAID_OUT);
	const unsigned char *kinds = block + c->time * width;
	int64_t before = INT64_MIN;

	table_add(t, INT64_MIN, 0);
	for (uint32_t i = 0; i < c->time; i++) {
		const unsigned char *p = block + i * width;
		int64_t utc = width == 8 ? big64(p) : (int32_t)big32(p);

		if (utc <= before || kinds[i] >= c->type) {
			if (utc == INT64_MIN && kinds[i] < c->type) {
				t->changes[0].kind = kinds[i];
				continue;
			}
			table_free(t);
			return NULL;
		}
		table_add(t, utc, kinds[i]);
		before = utc;
	}
	if (read_kinds(t, kinds + c->time, c))
		return t;
	table_free(t);
	return NULL;
}

static struct table *
read_tzif(const unsigned char *bytes, size_t length)
{
	struct counts c;
	struct footer footer;
	struct table *t;
	const unsigned char *block, *end;
	char text[128];
	size_t n;

	if (!read_header(bytes, length, 4, &c))
		return NULL;
	if (bytes[4] < '2')
		return read_block(bytes + 44, 4, &c);
	bytes += 44 + c.bytes;
	length -= 44 + c.bytes;
	if (!read_header(bytes, length, 8, &c))
		return NULL;
	block = bytes + 44;
	t = read_block(block, 8, &c);
	if (!t)
		return NULL;
	end = bytes + length;
	block += c.bytes;
	if (end - block < 2 || *block != '\n')
		return t;
	n = (size_t)(end - block) - 1;
	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	memcpy(text, block + 1, n);
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	if (*text && read_footer(text, &footer))
		table_footer(t, &footer);
	return t;
}

/* At most `room` - 1 bytes of a file of the folder, NUL behind them; -1 when it is not there. */
static long
read_file(const struct zones *z, const char *name, char *bytes, size_t room)
{
	char path[1024];
	FILE *f;
	size_t n;

	if (snprintf(path, sizeof(path), "%s/%s", z->directory, name) >= (int)sizeof(path))
		return -1;
	f = fopen(path, "rbe");
	if (!f)
		return -1;
	n = fread(bytes, 1, room - 1, f);
	bytes[n] = 0;
	if (ferror(f))
		n = 0;
	fclose(f);
	return (long)n;
}

static struct table *
table_read(const struct zones *z, const char *name)
{
	char *bytes = memory_new(FILE_BYTES);
	long n = read_file(z, name, bytes, FILE_BYTES);
	struct table *t = n > 0 ? read_tzif((unsigned char *)bytes, (size_t)n) : NULL;

	free(bytes);
	if (!t && !strcmp(name, "UTC")) {
		t = table_new(1);
		table_add(t, INT64_MIN, table_kind(t, 0, "UTC"));
	}
	return t;
}

/* --- overrides ------------------------------------------------------------------------------ */

/* The first instant at which a clock that has just run up to it reaches this wall time. */
static int64_t
override_instant(const struct table *t, int64_t wall)
{
	size_t i = table_at(t, wall - AROUND_S);

	for (; i < t->count; i++) {
		int64_t start = t->changes[i].utc, end = end_of(t, i);
		int64_t utc = wall - offset_of(t, i);

		if (utc > start && utc <= end)
			return utc;
		if (utc > end && i + 1 < t->count && wall - offset_of(t, i + 1) <= end)
			return end; /* skipped by the clock: when it skips */
	}
	return wall - offset_of(t, t->count - 1);
}

static struct table *
table_overridden(const struct zones *z, const struct zone *zone)
{
	size_t count = 0;
	struct table *t;

	for (const struct override *o = z->overrides; o; o = o->next)
		count += !strcmp(o->name, zone->name);
	t = table_copy(zone->base, count);
	for (const struct override *o = z->overrides; o; o = o->next) {
		int64_t utc;

		if (strcmp(o->name, zone->name) != 0)
			continue;
		utc = override_instant(t, civil_seconds(&o->wall));
		while (t->count > 1 && t->changes[t->count - 1].utc >= utc)
			t->count--;
		table_add(t, utc, table_kind(t, o->offset_s, NULL));
	}
	return t;
}

/* Puts what the zone must answer now into force; whether that is something else than before. */
static int
zone_publish(struct zones *z, struct zone *zone)
{
	struct table *old = atomic_load(&zone->table);
	struct table *now = table_overridden(z, zone);

	if (old && table_same(old, now)) {
		table_free(now);
		return 0;
	}
	atomic_store(&zone->table, now);
	if (old) {
		old->retired = z->retired;
		z->retired = old;
	}
	return old != NULL;
}

const char *
zone_override(struct zones *z, const char *name, const struct civil *wall, int32_t offset_s)
{
	struct zone *zone = (struct zone *)(uintptr_t)zone_find(z, name);
	struct override *o, **at;

	if (!zone)
		return "no such time zone";
	if (!civil_valid(wall))
		return "no such date and time";
	if (offset_s < -18 * 3600 || offset_s > 18 * 3600)
		return "an offset is between -18:00 and +18:00";
	pthread_mutex_lock(&z->lock);
	for (at = &z->overrides; *at; at = &(*at)->next) {
		int64_t apart = civil_seconds(&(*at)->wall) - civil_seconds(wall);

		if (apart > 0 || (apart == 0 && !strcmp((*at)->name, name)))
			break;
	}
	o = *at;
	if (!o || civil_seconds(&o->wall) != civil_seconds(wall)) {
		o = memory_new(sizeof(*o));
		o->next = *at;
		*at = o;
	}
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->wall = *wall;
	o->offset_s = offset_s;
	zone_publish(z, zone);
	pthread_mutex_unlock(&z->lock);
	return NULL;
}

void
zone_override_clear(struct zones *z)
{
	struct override *o;

	pthread_mutex_lock(&z->lock);
	while ((o = z->overrides) != NULL) {
		z->overrides = o->next;
		free(o);
	}
	for (struct zone *zone = z->zones; zone; zone = zone->next)
		zone_publish(z, zone);
	pthread_mutex_unlock(&z->lock);
}

/* --- the folder ----------------------------------------------------------------------------- */

struct zones *
zones_open(const char *directory)
{
	struct zones *z = memory_new(sizeof(*z));

	z->directory = memory_string(directory ? directory : "/usr/share/zoneinfo");
	pthread_mutex_init(&z->lock, NULL);
	return z;
}

void
zones_close(struct zones *z)
{
	struct zone *zone;
	struct table *t;

	if (!z)
		return;
	zone_override_clear(z);
	while ((zone = z->zones) != NULL) {
		z->zones = zone->next;
		zone_free(zone);
	}
	while ((t = z->retired) != NULL) {
		z->retired = t->retired;
		table_free(t);
	}
	pthread_mutex_destroy(&z->lock);
	free(z->directory);
	free(z);
}

/* 1: the zone's file is still the one that was read, as far as its inode tells. *is: what it is now. */
static int
file_same(const struct zones *z, const struct zone *zone, struct stat *is)
{
	const struct stat *was = &zone->read;
	char path[1024];

	memset(is, 0, sizeof(*is));
	if (snprintf(path, sizeof(path), "%s/%s", z->directory, zone->name) >= (int)sizeof(path) ||
	    stat(path, is))
		return 0;
	return was->st_ino == is->st_ino && was->st_dev == is->st_dev &&
	       was->st_size == is->st_size && was->st_mtim.tv_sec == is->st_mtim.tv_sec &&
	       was->st_mtim.tv_nsec == is->st_mtim.tv_nsec &&
	       was->st_ctim.tv_sec == is->st_ctim.tv_sec &&
	       was->st_ctim.tv_nsec == is->st_ctim.tv_nsec;
}

int
zones_reload(struct zones *z)
{
	int changed = 0;

	pthread_mutex_lock(&z->lock);
	for (struct zone *zone = z->zones; zone; zone = zone->next) {
		struct stat is;
		struct table *now = file_same(z, zone, &is) ? NULL : table_read(z, zone->name);

		if (!now)
			continue; /* in the middle of an upgrade, perhaps: what is known stays */
		table_free(zone->base);
		zone->base = now;
		zone->read = is;
		changed += zone_publish(z, zone);
	}
	pthread_mutex_unlock(&z->lock);
	return changed;
}

void
zones_version(struct zones *z, char *version, size_t room)
{
	char text[256];
	const char *at = text;
	size_t n;

	*version = 0;
	if (read_file(z, "tzdata.zi", text, sizeof(text)) > 0 && !strncmp(text, "# version ", 10))
		at = text + 10;
	else if (read_file(z, "+VERSION", text, sizeof(text)) <= 0)
		return;
	n = strcspn(at, " \r\n\t");
	if (n < room)
		snprintf(version, room, "%.*s", (int)n, at);
}

int64_t
zones_written_s(struct zones *z)
{
	static const char *const names[] = {"tzdata.zi", "+VERSION", "Asia/Jerusalem", "UTC"};
	char path[1024];
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", z->directory, names[i]);
		if (!stat(path, &st))
			return st.st_mtime;
	}
	return 0;
}

/* Names that stay inside the folder; a feed may ask for anything. */
static int
name_allowed(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= NAME_BYTES || *name == '/' || *name == '.' || strstr(name, "/."))
		return 0;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/") ==
	       n;
}

const struct zone *
zone_find(struct zones *z, const char *name)
{
	struct zone *zone;
	struct table *base;

	if (!name || !name_allowed(name))
		return NULL;
	pthread_mutex_lock(&z->lock);
	for (zone = z->zones; zone; zone = zone->next)
		if (!strcmp(zone->name, name))
			break;
	if (!zone && (base = table_read(z, name)) != NULL) {
		zone = memory_new(sizeof(*zone));
		zone->name = memory_string(name);
		zone->base = base;
		zone_publish(z, zone);
		zone->next = z->zones;
		z->zones = zone;
	}
	pthread_mutex_unlock(&z->lock);
	return zone;
}

struct zone *
zone_made(const char *name, int32_t before_s, const struct zone_step *steps, size_t count)
{
	struct zone *zone = memory_new(sizeof(*zone));
	struct table *t = table_new(count + 1);

	zone->name = memory_string(name);
	table_add(t, INT64_MIN, table_kind(t, before_s, NULL));
	for (size_t i = 0; i < count; i++) {
		size_t kind = table_kind(t, steps[i].offset_s, NULL);

		if (t->count > 1 && steps[i].utc <= t->changes[t->count - 1].utc)
			t->changes[t->count - 1].kind = (int64_t)kind;
		else
			table_add(t, steps[i].utc, kind);
	}
	atomic_store(&zone->table, t);
	return zone;
}

void
zone_free(struct zone *zone)
{
	if (!zone)
		return;
	table_free(atomic_load(&zone->table));
	table_free(zone->base);
	free(zone->name);
	free(zone);
}

/* --- converting ----------------------------------------------------------------------------- */

static const struct table *
table_of(const struct zone *zone)
{
	return atomic_load(&((struct zone *)(uintptr_t)zone)->table);
}

const char *
zone_name(const struct zone *zone)
{
	return zone->name;
}

struct zone_local
zone_to_local(const struct zone *zone, int64_t utc_s)
{
	const struct table *t = table_of(zone);
	const struct kind *k = &t->kinds[t->changes[table_at(t, utc_s)].kind];
	struct zone_local local = {.offset_s = k->offset_s};

	local.civil = civil_from(utc_s + k->offset_s);
	memcpy(local.abbreviation, k->abbreviation, sizeof(local.abbreviation));
	return local;
}

int32_t
zone_offset(const struct zone *zone, int64_t utc_s)
{
	const struct table *t = table_of(zone);

	return offset_of(t, table_at(t, utc_s));
}

struct zone_utc
zone_to_utc(const struct zone *zone, const struct civil *wall)
{
	const struct table *t = table_of(zone);
	int64_t seconds = civil_seconds(wall);
	struct zone_utc answer = {ZONE_GAP, {0, 0}};
	int found = 0, gap = 0;

	for (size_t i = table_at(t, seconds - AROUND_S); i < t->count; i++) {
		int64_t utc = seconds - offset_of(t, i);

		if (t->changes[i].utc > seconds + AROUND_S)
			break;
		if (utc >= t->changes[i].utc && utc < end_of(t, i)) {
			answer.utc[found > 0] = utc;
			found++;
		} else if (!gap && !found && utc >= end_of(t, i) && i + 1 < t->count &&
			   seconds - offset_of(t, i + 1) < t->changes[i + 1].utc) {
			answer.utc[0] = utc;
			answer.utc[1] = seconds - offset_of(t, i + 1);
			gap = 1;
		}
	}
	if (found == 1)
		answer.utc[1] = answer.utc[0];
	if (found)
		answer.reading = found == 1 ? ZONE_UNIQUE : ZONE_AMBIGUOUS;
	return answer;
}

int64_t
zone_instant(const struct zone *zone, const struct civil *wall)
{
	return zone_to_utc(zone, wall).utc[0];
}

int
zone_next(const struct zone *zone, int64_t utc_s, struct zone_change *change)
{
	const struct table *t = table_of(zone);

	for (size_t i = table_at(t, utc_s); i + 1 < t->count; i++) {
		if (offset_of(t, i) == offset_of(t, i + 1))
			continue;
		change->utc = t->changes[i + 1].utc;
		change->before_s = offset_of(t, i);
		change->after_s = offset_of(t, i + 1);
		return change->utc - utc_s <= (int64_t)100 * 366 * 86400;
	}
	return 0;
}
