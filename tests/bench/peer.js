/*
 * The peers of the benchmark: grammY and telegraf answering /help as the bot does, over SQLite. Each
 * update is stored once and its writer kept, in one durable transaction (WAL, synchronous=FULL), before
 * its answer is sent.
 *
 *   NODE_PATH=… node tests/bench/peer.js grammy|telegraf --config FOLDER/bot.ini run
 */
"use strict";
const fs = require("fs");
const Database = require("better-sqlite3");

const [library, , config] = process.argv.slice(2);
const ini = fs.readFileSync(config, "utf8");
const apiRoot = /api_root = (\S+)/.exec(ini)[1];
const token = fs.readFileSync(config.replace(/bot\.ini$/, "token"), "utf8").trim();

const db = new Database(config + ".peer.db");
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec("CREATE TABLE inbox(id INTEGER PRIMARY KEY, came INTEGER);" +
	"CREATE TABLE person(id INTEGER PRIMARY KEY, language TEXT, seen INTEGER)");
const keepUpdate = db.prepare("INSERT OR IGNORE INTO inbox VALUES(?, unixepoch())");
const keepPerson = db.prepare(
	"INSERT INTO person VALUES(?, ?, unixepoch()) ON CONFLICT(id) DO UPDATE SET seen = excluded.seen");
const stored = db.transaction((update, from) => {
	const isNew = keepUpdate.run(update).changes > 0;
	keepPerson.run(from.id, from.language_code || "en");
	return isNew;
});

const names = ["start", "help", "language", "events", "partners", "podcast", "pause", "privacy", "safety", "cancel"];
const text = "What can be done here\n" + names.map((n) => `/${n} — one line that says what it does`).join("\n");
const keyboard = { inline_keyboard: names.map((n) => [{ text: n, callback_data: n }]) };

async function help(ctx) {
	if (stored(ctx.update.update_id, ctx.from))
		await ctx.reply(text, { reply_markup: keyboard });
}

function grammy() {
	const { Bot } = require("grammy");
	const bot = new Bot(token, { client: { apiRoot } });
	bot.command("help", help);
	bot.start();
	return bot;
}

function telegraf() {
	const { Telegraf } = require("telegraf");
	const bot = new Telegraf(token, { telegram: { apiRoot } });
	bot.command("help", help);
	bot.launch();
	return bot;
}

const bot = library === "grammy" ? grammy() : telegraf();
process.once("SIGTERM", async () => {
	await Promise.race([bot.stop("SIGTERM"), new Promise((r) => setTimeout(r, 1000))]);
	process.exit(0);
});
