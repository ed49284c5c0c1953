/*
 * What a feature is: one file in bot/features ending in `const struct feature feature_<file>`. The
 * Makefile makes the list from the folder. Features never wait and never send: they read and write
 * their own tables and say things.
 */
#ifndef CORE_FEATURE_H
#define CORE_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

struct arena;
struct conf_key;
struct page;
struct seal;
struct turn;

/* Who may use a command or an action: 0 is anyone, otherwise one of these is enough. */
enum access {
	ANYONE = 0,
	MEMBERS = 1,
	COORDINATORS = 2,
	JUDGES = 4,
	SAFETY = 8,
	ADMINS = 16,
};

/* A command people type. Its words in each language stand in the catalogue as command.NAME (several
 * words of the language separated by spaces are all accepted), its one-line help as help.NAME. */
struct command {
	const char *name;
	unsigned access;	     /* enum access, or-ed */
	void (*run)(struct turn *t); /* t->rest is what stood behind the command */
	bool hidden;		     /* accepted, but neither in menus nor in /help */
	bool public_place;	     /* may be answered in a group: nothing personal in it */
	bool
	    however_late; /* is run even hours later, when the bot was away: it stops or protects */
};

/* What a choice does: the engine has checked that the button is ours, meant for this person, and
 * the access. */
struct action {
	const char *name; /* "events.card" */
	unsigned access;
	void (*run)(struct turn *t); /* t->value */
};

/* A conversation: questions one after another. The engine does /cancel, asking again, going back
 * and stale buttons. */
enum next {
	NEXT,	/* the following step; after the last one the flow ends */
	AGAIN,	/* ask the same again; the answer function has said why */
	DONE,	/* the flow ends here */
	JUMPED, /* flow_goto was called */
};
/* Says why in the words of that key, and asks the same again. */
enum next flow_again(struct turn *t, const char *key);
struct step {
	const char *name;
	void (*ask)(struct turn *t);
	/* t->text is what was typed, or t->value the choice (t->chosen is true then). */
	enum next (*answer)(struct turn *t);
	bool takes_numbers; /* a typed number is the answer itself, not a choice's number */
};
struct flow {
	const char *name;		   /* "events.new" */
	unsigned access;		   /* looked at on every answer, not only at the start */
	const struct step *steps;	   /* ended by a NULL name */
	void (*cancelled)(struct turn *t); /* may be NULL */
};

/* Something that happens by the clock. With `every_s` it repeats by itself (key ""), else job_at()
 * orders it. */
struct job {
	const char *name; /* "events.remind" */
	int64_t every_s;
	void (*run)(struct turn *t); /* t->key, t->value */
};

/* A page that is polled: a feed, a calendar. page_want() orders one; `came` gets each that is new.
 */
struct page_kind {
	const char *name;
	void (*came)(struct turn *t, const struct page *page);
};

/* Long work on a thread: pure `run` with its own read connection; what it returns comes back as a
 * turn. */
struct work_input {
	struct db *db;		 /* read only */
	const struct seal *seal; /* to read what is sealed: it may be used on any thread */
	struct arena *arena;	 /* of the work: the result may live there */
	struct blob input;
	void (*progress)(void *ctx, int percent);
	void *progress_ctx;
	const volatile bool *stop; /* true: end soon, the result is thrown away */
};
struct work {
	const char *name;
	struct blob (*run)(const struct work_input *input);
	void (*came)(struct turn *t, struct blob result); /* t->key as given to work_start */
	void (*progress)(struct turn *t, int percent);	  /* may be NULL; every second at most */
};

/* Something that happened elsewhere in the bot and that a feature wants to hear of. */
enum happening {
	HAPPENED_START,	  /* the program started; configuration and pages may have changed */
	HAPPENED_RELOAD,  /* SIGHUP: words, partners, zones were read again */
	HAPPENED_JOINED,  /* t->person became a member */
	HAPPENED_ROLES,	  /* the roles of person t->subject changed */
	HAPPENED_LEAVING, /* person t->subject is about to be erased: tell those who must hear a
			     neutral word */
	HAPPENED_PAUSED,
	HAPPENED_UNREACHABLE, /* person t->subject blocked us everywhere */
	HAPPENED_DELIVERED, /* delivery t->delivery of a post of this feature got its final fate */
	HAPPENED_MEDIA,	    /* t->media: bytes that this feature asked for (t->key) */
	HAPPENED_EDITED,    /* t->person changed a message after it was sent */
	HAPPENED_ZONES,	    /* tzdata changed: instants may have moved */
	HAPPENED_POST,	    /* post t->post of this feature came to its next stage (core/post.h) */
};

struct feature {
	const char *name;
	const struct schema *schema;   /* NULL: no tables */
	struct sql *const *statements; /* NULL-terminated, every statement of the file */
	const struct conf_key
	    *settings; /* ended by a NULL section: what it reads from the configuration */
	const struct command *commands; /* each list ends with a NULL name */
	const struct action *actions;
	const struct flow *const *flows; /* NULL-terminated */
	const struct job *jobs;
	const struct page_kind *pages;
	const struct work *works;
	/* Hears free text (and media) of a person who is in no flow, before "did you mean"; true:
	 * it was for us. */
	bool (*hears)(struct turn *t);
	/* A deep link's payload ("j_…" → "j"): t->value is the rest. */
	const char *link;
	void (*linked)(struct turn *t);
	void (*happened)(struct turn *t, enum happening what);
	/* `load-demo`: what this feature would know of the invented person t->subject (0: once, before
	 * all of them), made of the number in t->value's place: the same number gives the same. */
	void (*demo)(struct turn *t, uint64_t number);
	/* Lines for `status`: state_line(t, "podcast.groundwork", "…"). */
	void (*status)(struct turn *t);
};

#endif
