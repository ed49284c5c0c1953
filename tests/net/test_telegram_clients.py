#!/usr/bin/python3
"""Clients that are not ours prove the test server: python-telegram-bot of Debian, grammY and telegraf."""
import os
import shutil
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import telegram_server  # noqa: E402

NODE = "build/node"
SCRIPTS = {
    "grammy": """
const {Bot, InlineKeyboard} = require("grammy");
const bot = new Bot(process.argv[2], {client: {apiRoot: process.argv[3]}});
bot.on("message:text", async c => { await c.reply("got " + c.message.text,
    {reply_markup: new InlineKeyboard().text("press", "data")}); });
bot.on("callback_query:data", async c => { await c.answerCallbackQuery("toast");
    await c.editMessageText("pressed"); setTimeout(() => bot.stop(), 100); });
bot.start();
""",
    "telegraf": """
const {Telegraf, Markup} = require("telegraf");
const bot = new Telegraf(process.argv[2], {telegram: {apiRoot: process.argv[3]}});
bot.on("text", c => c.reply("got " + c.message.text,
    Markup.inlineKeyboard([Markup.button.callback("press", "data")])));
bot.on("callback_query", async c => { await c.answerCbQuery("toast");
    await c.editMessageText("pressed"); setTimeout(() => { bot.stop(); process.exit(0); }, 100); });
bot.launch();
""",
}
number = 0


def result(name, good, skip=None):
    global number
    number += 1
    print("%s %d - %s%s" % ("ok" if good or skip else "not ok", number, name,
                            " # skip " + skip if skip else ""), flush=True)


def python_telegram_bot():
    name = "telegram_server_serves_python_telegram_bot"
    warnings.simplefilter("ignore")
    try:
        import telegram
        import telegram.error
    except ImportError:
        return result(name, False, "python3-python-telegram-bot is not installed")
    server = telegram_server.Server(strict=False)
    root = server.start()
    bot = telegram.Bot(server.token, base_url=root + "/bot", base_file_url=root + "/file/bot")
    good = bot.get_me().username == "alum_bot"
    server.say(7, "/start x")
    updates = bot.get_updates(timeout=2)
    good = good and updates[0].message.text == "/start x"
    sent = bot.send_message(7, "one \U0001f600 two", entities=[
        telegram.MessageEntity("bold", 7, 3)])
    good = good and sent.entities[0].offset == 7
    try:
        bot.send_message(7, "\U0001f600", entities=[telegram.MessageEntity("bold", 1, 1)])
        good = False
    except telegram.error.BadRequest as no:
        good = good and "middle of a utf-16 symbol" in str(no).lower()
    document = bot.send_document(7, b"BEGIN:VCALENDAR", filename="event.ics").document
    good = good and bot.get_file(document.file_id).download_as_bytearray() == b"BEGIN:VCALENDAR"
    good = good and bot.edit_message_text("other", 7, sent.message_id).text == "other"
    good = good and bot.delete_message(7, sent.message_id)
    for text, why in (("x" * 4097, "too long"), (" ", "empty")):
        try:
            bot.send_message(7, text)
            good = False
        except telegram.error.BadRequest as no:
            good = good and (why in str(no).lower() or "space" in str(no).lower())
    server.meet(8, "blocked")
    try:
        bot.send_message(8, "x")
        good = False
    except telegram.error.Unauthorized:
        pass
    server.fault("sendMessage", "no", 1, [429, "Too Many Requests: retry after 3",
                                          {"retry_after": 3}])
    try:
        bot.send_message(7, "x")
        good = False
    except telegram.error.RetryAfter as later:
        good = good and later.retry_after == 3
    good = good and bot.get_updates(offset=updates[-1].update_id + 1, timeout=0) == []
    return result(name, good)


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if os.path.isdir(NODE + "/node_modules/grammy") and os.path.isdir(
            NODE + "/node_modules/telegraf"):
        return None
    os.makedirs(NODE, exist_ok=True)
    with open(NODE + "/package.json", "w") as f:
        f.write("{}")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "grammy",
                               "telegraf"], cwd=NODE, timeout=120, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "npm did not end"
    return None if done.returncode == 0 else "npm could not install them"


def javascript(library, missing):
    name = "telegram_server_serves_" + library
    if missing:
        return result(name, False, missing)
    server = telegram_server.Server(strict=False)
    root = server.start()
    script = os.path.join(NODE, library + ".js")
    with open(script, "w") as f:
        f.write(SCRIPTS[library])
    client = subprocess.Popen(["node", script, server.token, root], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
    server.say(7, "hello \u05e9\u05dc\u05d5\u05dd")
    texts = server.wait_texts(7, 1, 20)
    good = texts == ["got hello \u05e9\u05dc\u05d5\u05dd"]
    if good:
        message = server.ledger(7)[0]
        server.press(7, message["message_id"], "data")
        good = server.wait(lambda: server.texts(7) == ["pressed"], 10)
    try:
        client.wait(10)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()
    if not good:
        print("# " + repr(texts) + " " + repr(server.violations))
    return result(name, good)


only = os.environ.get("ONLY", "")
if only in "telegram_server_serves_python_telegram_bot_grammy_telegraf" or not only:
    python_telegram_bot()
    why = install()
    javascript("grammy", why)
    javascript("telegraf", why)
