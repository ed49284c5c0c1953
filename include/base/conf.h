/*
 * The configuration file (INTERFACE.md). Comments everywhere (; and # at the start or after white space), lines up
 * to 4 KB, `[section name]`, `key = value`. An unknown section, key or value is an error with its line.
 * ${CREDENTIALS_DIRECTORY} and ${STATE_DIRECTORY} are expanded in paths; other paths are relative to the file.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

enum conf_kind {
	CONF_TEXT,
	CONF_WORDS, /* a list, split at white space */
	CONF_PATH,
	CONF_NUMBER,  /* a whole number from `least` to `most` */
	CONF_SWITCH,  /* on, off, yes, no */
	CONF_ADDRESS, /* https://…, http:// for loopback only; file:// when `least` is 1 */
	CONF_ONE_OF,  /* one word of `choices`, separated by spaces */
	CONF_HOURS,   /* of the day, HH:MM-HH:MM */
	CONF_PLACE,   /* NETWORK:ID, where something is said */
};

/* One key that is known. `repeat`: may stand several times. */
struct conf_key {
	const char *
	    section; /* "podcast" also names [podcast groundwork]: sections with a name are any number */
	const char *key;
	enum conf_kind kind;
	int64_t least, most;
	const char *otherwise; /* the default, in the file's own writing; NULL: none */
	const char *choices;
	bool repeat;
	bool named;    /* the section takes a name */
	bool required; /* in the file or, for a named section, in each */
};

struct conf;

/* NULL and *why ("FILE:LINE: …, expected …"; free() it) when it is wrong. `keys` ends with a NULL section. */
struct conf *conf_load(const char *path, const struct conf_key *keys, char **why);
struct conf *conf_parse(
    const char *path_for_words, const char *bytes, const struct conf_key *keys, char **why);
void conf_free(struct conf *conf);

/* `name` is NULL for a section without a name. Strings live as long as the conf. NULL when absent and without default. */
const char *conf_text(
    const struct conf *conf, const char *section, const char *name, const char *key);
int64_t conf_number(
    const struct conf *conf, const char *section, const char *name, const char *key);
bool conf_switch(const struct conf *conf, const char *section, const char *name, const char *key);
/* A NULL-terminated list; for repeated keys conf_each. */
const char *const *conf_list(
    const struct conf *conf, const char *section, const char *name, const char *key);
/* The i-th value of a repeated key, or NULL. */
const char *conf_each(const struct conf *conf, const char *section, const char *key, int i);
/* The line in which that value stands; 0 when it is a default. */
int conf_line(
    const struct conf *conf, const char *section, const char *name, const char *key, int i);
bool conf_has(const struct conf *conf, const char *section);
/* The name of the i-th [section NAME] in the file's order, or NULL. */
const char *conf_name(const struct conf *conf, const char *section, int i);

#endif
