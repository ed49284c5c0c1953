/*
 * The bare limit: polls, makes one durable commit for each batch of updates, answers each with the same
 * text, and does nothing else. What bench-telegram prints for it is what the bot is held against:
 *
 *   build/bench-telegram --bot build/bench-bare backlog 20000
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/http.h"
#include "io/loop.h"

struct bare {
	struct loop *loop;
	struct http_lane *polls, *sends;
	sqlite3_stmt *begin, *keep, *commit;
	char poll_url[256], send_url[256];
	long long next;
};

static void poll(struct bare *b);

static void
run(sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		abort();
	sqlite3_reset(statement);
}

static void
sent(void *ctx, const struct http_answer *answer)
{
	(void)ctx;
	if (answer->outcome != HTTP_REPLIED)
		abort();
}

static void
reply(struct bare *b, long long chat)
{
	char body[256];
	int n = snprintf(body, sizeof(body),
	    "{\"chat_id\":%lld,\"text\":\"The next event is on Thursday at 18:00.\"}", chat);

	http_send(b->sends, &(struct http_request){.label = "send",
				.url = b->send_url,
				.body = body,
				.body_length = (size_t)n,
				.once = true,
				.fn = sent,
				.ctx = b});
}

static void
came(void *ctx, const struct http_answer *answer)
{
	struct bare *b = ctx;
	const char *at = answer->body;

	if (answer->outcome != HTTP_REPLIED)
		abort();
	run(b->begin);
	for (; (at = strstr(at, "\"update_id\":")); at++) {
		b->next = strtoll(at + strlen("\"update_id\":"), NULL, 10) + 1;
		sqlite3_bind_int64(b->keep, 1, b->next - 1);
		run(b->keep);
	}
	run(b->commit);
	poll(b);
	for (at = answer->body; (at = strstr(at, "\"chat\":{\"id\":")); at++)
		reply(b, strtoll(at + strlen("\"chat\":{\"id\":"), NULL, 10));
}

static void
poll(struct bare *b)
{
	char body[96];
	int n =
	    snprintf(body, sizeof(body), "{\"offset\":%lld,\"limit\":100,\"timeout\":50}", b->next);

	http_send(b->polls, &(struct http_request){.label = "poll",
				.url = b->poll_url,
				.body = body,
				.body_length = (size_t)n,
				.fn = came,
				.ctx = b});
}

static void
stop(void *ctx, int signal_number)
{
	(void)signal_number;
	loop_stop(ctx);
}

/* A value of bench-telegram's own bot.ini. */
static void
setting(const char *file, const char *key, char *value, size_t room)
{
	char line[512];
	FILE *f = fopen(file, "re");

	value[0] = 0;
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && strchr(line, '='))
			snprintf(value, room, "%.200s", strchr(line, '=') + 2);
	if (f)
		fclose(f);
	value[strcspn(value, "\n")] = 0;
}

static sqlite3_stmt *
prepared(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		abort();
	return statement;
}

static sqlite3 *
store(const char *config)
{
	char path[600];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%.500s.bare.db", config);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"CREATE TABLE came(id INTEGER PRIMARY KEY)",
		NULL, NULL, NULL) != SQLITE_OK)
		abort();
	return db;
}

/* bench-bare --config FOLDER/bot.ini run */
int
main(int argc, char **argv)
{
	struct bare b = {.loop = loop_new()};
	struct http *http = http_new(b.loop, NULL);
	char root[256];
	sqlite3 *db;

	if (argc < 3)
		return 64;
	db = store(argv[2]);
	b.begin = prepared(db, "BEGIN IMMEDIATE");
	b.keep = prepared(db, "INSERT INTO came(id) VALUES(?)");
	b.commit = prepared(db, "COMMIT");
	setting(argv[2], "api_root", root, sizeof(root));
	snprintf(b.poll_url, sizeof(b.poll_url), "%.100s/bot0:bare/getUpdates", root);
	snprintf(b.send_url, sizeof(b.send_url), "%.100s/bot0:bare/sendMessage", root);
	b.polls = http_lane_new(http, &(struct http_lane_options){.name = "polls"});
	b.sends =
	    http_lane_new(http, &(struct http_lane_options){.name = "sends", .connections = 8});
	loop_signal(b.loop, 15, stop, b.loop);
	poll(&b);
	loop_run(b.loop);
	loop_signal(b.loop, 15, NULL, NULL);
	http_lane_free(b.polls);
	http_lane_free(b.sends);
	http_free(http);
	loop_free(b.loop);
	sqlite3_finalize(b.begin);
	sqlite3_finalize(b.keep);
	sqlite3_finalize(b.commit);
	sqlite3_close(db);
	return 0;
}
