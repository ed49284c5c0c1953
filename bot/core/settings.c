/* What core is made of, as lists: its schemas, its statements, its settings; features add theirs. */
#include "core.h"

#include <assert.h>
#include <string.h>

static const struct schema *const core_schemas[] = {&engine_schema, &people_schema, &outbox_schema,
    &converse_schema, &job_schema, &page_schema, &join_schema, &ticket_schema, &approval_schema,
    &draft_schema, &audit_schema, &audience_schema, &post_schema, &attach_schema, &alarm_schema,
    &post_file_schema};
static struct sql *const *const core_statements[] = {engine_statements_own, inbox_statements,
    network_statements, people_statements, erasure_statements, outbox_statements, ship_statements,
    converse_statements, job_statements, page_statements, join_statements, ticket_statements,
    menu_statements, approval_statements, draft_statements, late_statements, audit_statements,
    audience_statements, post_statements, post_feed_statements, attach_statements, alarm_statements,
    metrics_statements, demo_statements, post_file_statements};

static const struct conf_key core_settings[] = {
    {.section = "bot", .key = "database", .kind = CONF_PATH, .required = true},
    {.section = "bot", .key = "key_file", .kind = CONF_PATH},
    {.section = "bot", .key = "languages", .kind = CONF_WORDS, .otherwise = "en ar he"},
    {.section = "bot",
	.key = "time_zones",
	.kind = CONF_WORDS,
	.otherwise = "Asia/Jerusalem Asia/Hebron"},
    {.section = "bot", .key = "zone_override", .kind = CONF_TEXT, .repeat = true},
    {.section = "bot", .key = "day_override", .kind = CONF_TEXT, .repeat = true},
    {.section = "bot", .key = "quiet_hours", .kind = CONF_HOURS, .otherwise = "21:00-08:00"},
    {.section = "content", .key = "words", .kind = CONF_PATH},
    {.section = "content", .key = "partners", .kind = CONF_PATH},
    {.section = "telegram", .key = "token_file", .kind = CONF_PATH, .required = true},
    {.section = "telegram",
	.key = "api_root",
	.kind = CONF_ADDRESS,
	.otherwise = "https://api.telegram.org"},
    {.section = "telegram",
	.key = "per_second",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 100000,
	.otherwise = "25"},
    {.section = "telegram",
	.key = "per_chat_second",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 1000,
	.otherwise = "1"},
    {.section = "telegram",
	.key = "connections",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 64,
	.otherwise = "8"},
    {.section = "telegram",
	.key = "ip_family",
	.kind = CONF_ONE_OF,
	.choices = "auto 4 6",
	.otherwise = "auto"},
    {.section = "matrix", .key = "homeserver", .kind = CONF_ADDRESS, .required = true},
    {.section = "matrix", .key = "user", .kind = CONF_TEXT, .required = true},
    {.section = "matrix", .key = "access_token_file", .kind = CONF_PATH},
    {.section = "matrix", .key = "password_file", .kind = CONF_PATH},
    {.section = "matrix", .key = "encryption", .kind = CONF_SWITCH, .otherwise = "on"},
    {.section = "matrix", .key = "allow_servers", .kind = CONF_WORDS, .otherwise = "*"},
    {.section = "matrix",
	.key = "per_minute",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 600000,
	.otherwise = "12"},
    {.section = "retention",
	.key = "visitor",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "30"},
    {.section = "retention",
	.key = "event",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "ticket",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "draft",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "audit",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "730"},
    {.section = "retention",
	.key = "backup",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "30"},
    {.section = "egress",
	.key = "socket",
	.kind = CONF_PATH,
	.otherwise = "/run/alumhub-egress/socket"},
    {.section = "egress", .key = "allow", .kind = CONF_WORDS, .repeat = true},
    {.section = "egress", .key = "private", .kind = CONF_WORDS, .repeat = true},
    {.section = "room", .key = "address", .kind = CONF_PLACE, .named = true, .required = true},
    {.section = "room", .key = "title", .kind = CONF_TEXT, .named = true},
    {.section = "room", .key = "org", .kind = CONF_TEXT, .named = true},
    {.section = "room", .key = "languages", .kind = CONF_WORDS, .named = true},
    {.section = "ops", .key = "room", .kind = CONF_PLACE},
    {.section = "ops", .key = "metrics_file", .kind = CONF_PATH},
    {.section = "ops",
	.key = "feed_failures",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 1000,
	.otherwise = "3"},
    {.section = "ops",
	.key = "network_minutes",
	.kind = CONF_NUMBER,
	.least = 0,
	.most = 1440,
	.otherwise = "5"},
    {.section = "ops",
	.key = "queue_minutes",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 10080,
	.otherwise = "30"},
    {.section = "ops",
	.key = "disk_percent",
	.kind = CONF_NUMBER,
	.least = 0,
	.most = 90,
	.otherwise = "10"},
    {.section = "ops",
	.key = "tzdata_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "400"},
    {.section = "ops",
	.key = "clock_seconds",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 86400,
	.otherwise = "30"},
    {.section = "ops",
	.key = "backup_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "3"},
    {.section = "ops",
	.key = "backups",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 400,
	.otherwise = "30"},
    {.section = "matching",
	.key = "every_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 366,
	.otherwise = "14"},
};

enum { LIST_MOST = 160 };

const struct schema *const *
engine_schemas(const struct feature *const *features)
{
	static const struct schema *list[LIST_MOST];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(core_schemas) / sizeof(*core_schemas); i++)
		list[n++] = core_schemas[i];
	for (; *features; features++)
		if ((*features)->schema) {
			assert(n < LIST_MOST - 1);
			list[n++] = (*features)->schema;
		}
	list[n] = NULL;
	return list;
}

void
engine_statements(
    const struct feature *const *features, void (*each)(void *ctx, struct sql *sql), void *ctx)
{
	for (size_t i = 0; i < sizeof(core_statements) / sizeof(*core_statements); i++)
		for (struct sql *const *s = core_statements[i]; *s; s++)
			each(ctx, *s);
	for (; *features; features++)
		for (struct sql *const *s = (*features)->statements; s && *s; s++)
			each(ctx, *s);
}

const struct conf_key *
engine_settings(const struct feature *const *features)
{
	static struct conf_key list[LIST_MOST];
	size_t n = sizeof(core_settings) / sizeof(*core_settings);

	memcpy(list, core_settings, sizeof(core_settings));
	for (; *features; features++)
		for (const struct conf_key *k = (*features)->settings; k && k->section; k++) {
			assert(n < LIST_MOST - 1);
			list[n++] = *k;
		}
	list[n] = (struct conf_key){0};
	return list;
}
