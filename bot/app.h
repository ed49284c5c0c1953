/* What every command of the program is assembled from. Only the files beside main.c see all layers. */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "store/db.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 64,
	EXIT_REFUSED = 77, /* by every configured server */
	EXIT_CONFIG = 78,
};

struct arguments {
	const char *config;
	const char *as, *language;		   /* chat */
	const char *role, *org, *uses, *days, *qr; /* invite */
	const char *file;			   /* backup, restore */
	bool json;
};

struct buf;

struct app {
	const struct arguments *arguments;
	struct conf *conf;
	struct conf *first_conf; /* what the networks were opened with */
	struct words *words;
	struct partners *partners;
	struct zones *zones;
	struct seal *seal;
	struct db *db;
	struct manifest *manifest;
	struct engine *engine;
	char *state_folder, *words_folder, *partners_file, *key_file;
	char *erased_file;    /* the list of erasures beside the database */
	char problem[400];    /* set by the broken port */
	char sandbox[80];     /* for status */
	bool unit;	      /* systemd gave us a folder for the state */
	volatile bool ending; /* long work on other threads ends soon */
};

extern const struct feature *const features[];

/* Names the installed folders in the environment where systemd did not. */
void app_folders(void);
/* Reads configuration, words, partners, zones. EXIT_DONE, or a status after a complaint on standard error. */
int app_read(struct app *app, const struct arguments *arguments);
/* Opens key and database too. `lock`: as the one who writes. */
int app_open(struct app *app, bool lock);
/* Makes the engine on these ports (ctx and functions set). */
int app_engine(struct app *app, const struct engine_ports *ports, bool training);
void app_close(struct app *app);
/* The content of a file:// address, to engine_fetched. */
void app_fetch_file(struct app *app, const struct engine_fetch *fetch);
/* Reads words, partners and overrides again and gives them to the engine; false: the old ones stay. */
bool app_reload(struct app *app);

/* The commands: each answers an exit status. */
int chat_main(struct app *app);
int run_main(struct app *app);
int check_main(struct app *app);
int version_main(void);
/* Reads the configuration alone: it has neither state nor secrets. */
int egress_main(const struct arguments *arguments);
/* Where the configuration sends the program; NULL and *why (free() it) when an entry is wrong. */
struct hosts;
struct hosts *egress_hosts(const struct conf *conf, char **why);
/* From here on the kernel holds the process to what it needs (Landlock); *app->sandbox says how. */
void confine_run(struct app *app);
/* The version of Landlock in use, or 0. */
int confine_egress(const char *config, const struct hosts *hosts);
int invite_main(struct app *app);
int status_main(struct app *app);
int erase_main(struct app *app);
int backup_main(struct app *app);
int restore_main(struct app *app);
int demo_main(struct app *app);
int schema_main(void);
/* A backup in steps, so that the long one may run on another thread: begin on the loop's (NULL: not
 * now, come again), run, end on the loop's again with the status; what there is to say is appended. */
enum { BACKUP_MOST_MS = 1800000 };
struct backup;
struct backup *backup_begin(struct app *app, const char *file);
void backup_run(void *backup);
int backup_end(struct backup *backup, struct buf *reply);
/* What the control socket is asked: the reply's status, the text appended. */
int admin_answer(struct app *app, const char *line, struct buf *reply);
/* The service's answer, or our own when the lock is free. */
int admin_ask(struct app *app, const char *line, struct buf *reply);
/* Opens state and engine to answer ourselves. */
int admin_open(struct app *app, const char *line, struct buf *reply);
/* An engine over the open state, without networks. */
int admin_engine(struct app *app);

#endif
