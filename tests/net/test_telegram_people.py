#!/usr/bin/python3
"""What people meet on Telegram: links, groups, menus by language and role, files, coming and going; and a poll
that hangs. Against the stricter server."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_telegram_bot as played  # noqa: E402
import test_telegram_strict as strict  # noqa: E402
from test_telegram_strict import World, buttons, shown  # noqa: E402

ISOLATES = re.compile("[\u2066-\u2069]")


def plain(message):
    return ISOLATES.sub("", message.get("text", message.get("caption", "")))


def ask(s, who, text, chat=None):
    """The next message in that chat."""
    had = len(s.ledger(chat or who))
    s.say(who, text, chat=chat)
    assert s.wait(lambda: len(s.ledger(chat or who)) > had, 10), "no answer to " + text
    return s.ledger(chat or who)[-1]


def labelled(message, words):
    return [b for b in buttons(message) if words in ISOLATES.sub("", b["text"])][0]["callback_data"]


def press(s, who, message, data):
    """Waits until something new is said or edited in that chat."""
    before = [m.get("edited", 0) for m in s.ledger(who)]
    s.press(who, message["message_id"], data)
    assert s.wait(lambda: [m.get("edited", 0) for m in s.ledger(who)] != before, 10), "nothing came"
    s.wait(lambda: not s.callbacks, 5)
    return s.ledger(who)[-1]


def ask_database(bot, sql):
    db = sqlite3.connect("file:%s?mode=ro" % bot.path("bot.db"), uri=True)
    try:
        return db.execute(sql).fetchone()[0]
    finally:
        db.close()


def telegram_people_who_asked_in_an_outage_hear_one_word():
    with World() as (s, b):
        speak = {7: "en", 8: "he", 9: "ar"}
        for who in speak:
            ask(s, who, "/start")
        b.stop()
        db = sqlite3.connect(b.path("bot.db"))
        db.execute("UPDATE inbox SET came = came - 20000")
        db.commit()
        db.close()
        had = {who: len(s.ledger(who)) for who in speak}
        for k in range(3):
            for who in had:
                for text in ("/events", "/help", "/podcast"):
                    s.say(who, text, language=speak[who], date=int(time.time()) - 9000 + k)
        b.start()
        assert s.wait(lambda: not s.queue and all(len(s.ledger(w)) > had[w] for w in had), 20)
        for who, word in ((7, "while the bot was away"), (8, "הבוט לא היה זמין"), (9, "أثناء غياب البوت")):
            late = s.ledger(who)[had[who]:]
            assert len(late) == 1 and word in plain(late[0]), (who, late)
        assert plain(press(s, 7, s.ledger(7)[-1], buttons(s.ledger(7)[-1])[0]["callback_data"])) == (
            plain(ask(s, 7, "/events"))), "the button is not what was asked for"


def telegram_people_follow_links():
    with World() as (s, b):
        played.join(s, b, 7, "member", "arava")
        played.join(s, b, 9, "admin")
        newest = plain(ask(s, 8, "/podcast"))
        for payload in ("p", "p_groundwork", "podcast"):
            assert plain(ask(s, 8, "/start " + payload)) == newest, payload
        card = [m for m in (ask(s, 8, "/start e_%d" % n) for n in range(1, 4))
                if plain(m).startswith("Evening circle")]
        assert card and labelled(card[0], "For my calendar"), "no event by its link"
        assert "closed, was answered already or is for others" in plain(ask(s, 7, "/start s_1"))
        assert plain(ask(s, 8, "/start s_1")) == plain(ask(s, 8, "/survey"))
        for payload in ("zzz", "x" * 64, "x" * 70, "j_", "k_", "e_", "e_999999999999999999999", "s_-1",
                        "p_../../etc", "stop", "forgetme", "link", "_"):
            ask(s, 8, "/start " + payload)
        assert ask_database(b, "SELECT count(*) FROM person WHERE paused_until > 0") == 0, (
            "a link paused somebody")
        # k_: one person, two accounts; the code may not be forwarded.
        m = ask(s, 7, "/link")
        m = press(s, 7, m, labelled(m, "Make a code"))
        assert m.get("protect_content") is True, "the code can be forwarded"
        offer = ask(s, 6, "/start " + re.search(r"k_[\w-]{22}", m["text"]).group(0))
        press(s, 6, offer, buttons(offer)[0]["callback_data"])
        assert s.wait(lambda: "become part of this profile" in plain(s.ledger(7)[-1]), 10)
        press(s, 7, s.ledger(7)[-1], buttons(s.ledger(7)[-1])[0]["callback_data"])
        assert "Arava Institute" in plain(ask(s, 6, "/profile"))
        assert ask_database(b, "SELECT count(DISTINCT person) FROM account") == 3


def telegram_people_hear_nothing_personal_in_a_group():
    with World() as (s, b):
        played.join(s, b, 7, "member", "arava")
        ask(s, 8, "/start")
        s.meet(-1001)
        said = {who: ask(s, who, "/match@alum_bot", chat=-1001) for who in (7, 8)}
        assert said[7]["text"] == said[8]["text"], "the group sees who is a member"
        links = [x["url"] for row in said[7]["reply_markup"]["inline_keyboard"] for x in row]
        assert links == ["https://t.me/alum_bot?start=match"], links
        m = ask(s, 7, "/start match")
        assert buttons(m), "the link leads nowhere"
        for text in ("/profile@other_bot", "hello", "@other_bot hi"):
            s.say(7, text, chat=-1001)
        assert "Groundwork" in ask(s, 7, "/podcast@alum_bot", chat=-1001)["text"]
        assert len(s.ledger(-1001)) == 3, shown(s, -1001)
        # A link's payload in a group does nothing there and shows nothing: only the way to the private chat.
        code = b.command("invite", "--role", "member", "--org", "arava").stdout.split()[0]
        for payload in (code, "k_" + "a" * 22, "s_1", "e_1", "p"):
            m = ask(s, 8, "/start@alum_bot " + payload, chat=-1001)
            assert m["text"] == said[7]["text"], (payload, m)
            assert "start=" + payload not in json.dumps(m["reply_markup"]), "the code is shown to all"
        assert "Arava" not in ask(s, 8, "/profile")["text"], "joined by a group's message"
        del s.messages[-1001][3:]
        # A button under a public answer, pressed in the group: what comes is private.
        m = s.ledger(-1001)[-1]
        had = len(s.ledger(8))
        if buttons(m):
            s.press(8, m["message_id"], buttons(m)[0]["callback_data"], chat=-1001)
            assert s.wait(lambda: not s.callbacks, 5), "a press in a group is not answered"
            assert s.wait(lambda: len(s.ledger(8)) > had, 5), "nothing came in private"
        assert len(s.ledger(-1001)) == 3, shown(s, -1001)


def telegram_people_have_menus_of_their_role_and_language():
    with World() as (s, b):
        assert s.wait(lambda: len(s.menus) >= 4 and len(s.descriptions) >= 8, 10), s.menus.keys()
        usual = {k[2]: [c["command"] for c in v] for k, v in s.menus.items()}
        assert set(usual) == {"", "en", "ar", "he"} and len(set(map(tuple, usual.values()))) == 1
        assert not {"announce", "role", "reports", "judge"} & set(usual["en"])
        texts = {s.menus["default", None, k][1]["description"] for k in ("en", "ar", "he")}
        assert len(texts) == 3, "descriptions in three languages"
        for text in s.descriptions.values():
            assert not re.search("peace|israel|palestin|سلام|إسرائيل|فلسطين|שלום|ישראל|פלסטין", text.lower())
        played.join(s, b, 7, "coordinator", "arava")
        played.join(s, b, 9, "admin")
        mine = lambda who: {c["command"] for c in s.menus.get(("chat", who, ""), [])}  # noqa: E731
        assert s.wait(lambda: "announce" in mine(7) and "role" in mine(9), 10), s.menus.keys()
        assert "role" not in mine(7)
        first = s.menus["chat", 7, ""][0]["description"]
        m = ask(s, 7, "/language")
        press(s, 7, m, labelled(m, "العربية"))
        assert s.wait(lambda: s.menus["chat", 7, ""][0]["description"] != first, 10), "not in Arabic"
        m = ask(s, 9, "/role arava")
        m = press(s, 9, m, buttons(m)[0]["callback_data"])
        press(s, 9, m, buttons(m)[0]["callback_data"])
        assert s.wait(lambda: not mine(7), 10), "the menu outlives the role"
        sets = len([r for r in s.requests if r[1].startswith("setMy")])
        b.stop()
        b.start()
        assert b.ready()
        ask(s, 8, "/help")
        s.wait(lambda: False, 0.5)
        assert len([r for r in s.requests if r[1].startswith("setMy")]) == sets, "set without a change"


def telegram_people_share_one_upload():
    with World() as (s, b):
        for who in (7, 8, 9):
            m = [m for m in (ask(s, who, "/start e_%d" % n) for n in range(1, 4))
                 if plain(m).startswith("Evening circle")][0]
            had = len(s.ledger(who))
            s.press(who, m["message_id"], labelled(m, "For my calendar"))
            s.press(who, m["message_id"], labelled(m, "A picture to share"))
            assert s.wait(lambda: len(s.ledger(who)) == had + 2, 20), shown(s, who)
        sent = [m for who in (7, 8, 9) for m in s.ledger(who)]
        for kind, uploads in (("document", 1), ("photo", 1)):
            of = [m for m in sent if kind in m]
            assert len(of) == 3, kind
            assert len([m for m in of if "uploaded" in m]) == uploads, "%s: %r" % (
                kind, [m.get("uploaded") for m in of])
        name = [m["uploaded"] for m in sent if "document" in m and "uploaded" in m][0]
        assert name["name"] == "event.ics" and name["type"] == "text/calendar; charset=utf-8", name


def telegram_people_come_and_go():
    with World() as (s, b):
        people = "SELECT count(*) FROM account"
        reachable = "SELECT count(*) FROM account WHERE reachable = 1"
        for who in (7, 8, 9):
            ask(s, who, "/help")
        s.member(7, "kicked")
        assert s.wait(lambda: ask_database(b, reachable) == 2, 5), "a block is not seen"
        s.member(7, "member")
        ask(s, 7, "/help")
        assert ask_database(b, reachable) == 3
        # By what the server answers: blocked, and gone for good.
        s.say(8, "/help")
        s.meet(8, "blocked")
        s.say(9, "/help")
        s.meet(9, "deactivated")
        assert s.wait(lambda: ask_database(b, people) == 2, 10), "who is no more is still stored"
        assert s.wait(lambda: ask_database(b, reachable) == 1, 10), "who blocked is still written to"
        sends = len([r for r in s.requests if r[1] == "sendMessage"])
        s.wait(lambda: False, 1)
        assert len([r for r in s.requests if r[1] == "sendMessage"]) == sends, "asked again"
        s.meet(8, "met")
        ask(s, 8, "/help")
        assert ask_database(b, reachable) == 2


def telegram_people_read_a_poster():
    if not shutil.which("zbarimg"):
        return "zbar-tools is not installed"
    with World() as (s, b):
        made = b.command("invite", "--role", "member", "--org", "arava", "--uses", "50", "--qr",
                         b.path("poster.png"))
        link = re.search(r"https://t\.me/alum_bot\?start=j_[\w-]{22}", made.stdout)
        assert made.returncode == 0 and link, made.stdout
        read = subprocess.run(["zbarimg", "-q", "--raw", b.path("poster.png")], capture_output=True,
                              text=True, timeout=30).stdout.strip()
        assert read == link.group(0), read
        offer = ask(s, 7, "/start " + read.split("=")[1])
        assert "Arava" in plain(offer), plain(offer)
        press(s, 7, offer, buttons(offer)[0]["callback_data"])
        assert "Arava" in plain(ask(s, 7, "/profile"))


def wakes(process):
    """How often it was woken so far."""
    with open("/proc/%d/status" % process.pid) as f:
        return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", f.read())[1])


def telegram_people_a_poll_that_hangs():
    """A minute in which the server says nothing: no kill, few wake-ups, the watchdog is fed; then an alarm
    to the admins and a new connection, and what was written meanwhile is answered."""
    os.environ["WATCHDOG_USEC"] = "20000000"
    try:
        with World() as (s, b):
            played.join(s, b, 7, "admin")
            time.sleep(2)
            s.fault("getUpdates", "silent", 1, 200)
            s.say(8, "/help")               # ends the poll that is out; the next one hangs
            assert s.wait(lambda: s.ledger(8), 5)
            pid = b.process.pid
            time.sleep(3)
            before, start = wakes(b.process), time.time()
            fed = played.watchdog_said(b, 50)
            woken = (wakes(b.process) - before) / (time.time() - start)
            s.say(9, "/help")
            assert s.wait(lambda: s.ledger(9), 25), "still deaf"
            assert s.wait(lambda: any("network.telegram" in m.get("text", "") for m in s.ledger(7)),
                          10), "no alarm to the admin: %r" % shown(s, 7)
            assert b.process.poll() is None and b.process.pid == pid, "it was killed"
            assert fed >= 4, "the watchdog was fed %d times" % fed
            assert "health=3" in b.said(), "nobody was told that the poll was deaf"
            print("# idle: %.2f wake-ups a second" % woken)
            if "san" not in played.BOT:
                assert woken <= 0.3, woken
    finally:
        del os.environ["WATCHDOG_USEC"]


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("telegram_people_") and callable(f)
             and only in name]
    if not os.path.exists(played.BOT):
        print("ok 1 - telegram_people # skip %s is not built" % played.BOT)
        return 0
    bad = 0
    for number, test in enumerate(tests, 1):
        start = time.time()
        try:
            skip = test()
            print("ok %d - %s # %s" % (number, test.__name__, "skip " + skip if skip else
                                       "%.1f s" % (time.time() - start)), flush=True)
        except (AssertionError, IndexError, AttributeError) as why:
            bad += 1
            print("not ok %d - %s\n# %r" % (number, test.__name__, why), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
