#!/usr/bin/python3
"""The whole bot against another server: stricter requests, worse answers, stranger updates.

LONG=1 plays longer. What must hold: nothing lost, nothing doubled, replies in order, no word of a member
and no token in what is printed or stored, no limit passed, nothing sent that the API does not describe.
"""
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_telegram_bot as played  # noqa: E402
from telegram_strict import MANNERS, Strange, Strict  # noqa: E402

LONG = os.environ.get("LONG") == "1"
COMMANDS = ["/help", "/language", "/podcast", "/partners", "/events"]
MORE = """[podcast groundwork]
title = Groundwork
feed = file://{root}/config/demo/podcast.xml
[calendar demo]
url = file://{root}/config/demo/events.ics
org = allmep
"""


class World(played.World):
    def __init__(self, manner="plain", **options):
        super().__init__(**options)
        self.manner = manner

    def __enter__(self):
        self.server = Strict()
        self.server.start()
        self.server.manner = self.manner
        self.bot = played.Bot(self.server, **self.options)
        with open(self.bot.path("bot.ini"), "a") as f:
            f.write(MORE.format(root=os.getcwd()))
        self.bot.start()
        assert self.bot.ready(), "no READY=1: " + self.bot.said()[-1500:]
        return self.server, self.bot


def shown(server, who):
    return [m.get("text", m.get("caption")) for m in server.ledger(who)]


def answers(server):
    """What each command is answered with, asked one at a time."""
    one = {}
    server.say(1, "/start")
    assert server.wait(lambda: server.ledger(1)), "no greeting"
    for c in COMMANDS:
        had = len(server.ledger(1))
        server.say(1, c)
        assert server.wait(lambda: len(server.ledger(1)) > had), c
        one[c] = shown(server, 1)[had]
    assert len(set(one.values())) == len(COMMANDS), one
    return one


def is_part(some, whole):
    """Whether `some` stands in `whole` in this order."""
    rest = iter(whole)
    return all(any(x == y for y in rest) for x in some)


def in_doubt(bot):
    return int(json.loads(bot.command("status", "--json").stdout)["in_doubt"]["value"])


def held(server, bot, asked, least=None):
    """Each person heard the answers to what they asked, each once, in order; what is missing is in doubt."""
    missing = 0
    for who, wanted in asked.items():
        got = shown(server, who)
        assert is_part(got, wanted), "%d heard out of order or twice: %r" % (
            who, [g[:20] for g in got])
        missing += len(wanted) - len(got)
    doubt = in_doubt(bot) if missing else 0
    assert missing <= doubt, "%d answers are missing, %d in doubt" % (missing, doubt)
    assert least is None or missing <= least, "%d answers are missing" % missing


def telegram_strict_answers_in_every_manner_of_http():
    for manner in MANNERS:
        with World(manner) as (s, b):
            one = answers(s)
            asked = {}
            for n in range(3):
                for who in range(10, 16):
                    c = COMMANDS[(n + who) % len(COMMANDS)]
                    s.say(who, c)
                    asked.setdefault(who, []).append(one[c])
            assert s.wait(lambda: sum(len(s.ledger(w)) for w in asked) == 18 or
                          "die" in manner, 20), manner
            if "die" in manner:
                s.wait(lambda: sum(len(s.ledger(w)) for w in asked) == 18, 4)
            held(s, b, asked, None if "die" in manner else 0)


HTML = "<html>no</html>"
OTHER = []


def elsewhere():
    """Where redirects lead: nobody may ever come here."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)

    def accept():
        while True:
            OTHER.append(listener.accept()[0].recv(100))
    threading.Thread(target=accept, daemon=True).start()
    return "http://127.0.0.1:%d/" % listener.getsockname()[1]


def limit(parameters=None, headers=(), text="Too Many Requests"):
    answer = {"ok": False, "error_code": 429, "description": text}
    if parameters is not None:
        answer["parameters"] = parameters
    return "http", [429, list(headers), json.dumps(answer)]


def send_faults():
    """(name, what, value, arrives): whether the answer must arrive, must not, or may (None)."""
    away = elsewhere()
    for status in (500, 502, 503, 504):
        yield "html-%d" % status, "http", [status, [], HTML], None
        yield "done-%d" % status, "done", [status, [], HTML], True
    for body in ("", "{", "[]", "null", "{\"ok\":", "\x00\x01", "{\"ok\":\"true\"}", "x" * 2000000):
        yield "done-200-%.6r" % body, "done", [200, [], body], True
        yield "lost-200-%.6r" % body, "http", [200, [], body], None
    for body in ("{\"ok\":true}", "{\"ok\":true,\"result\":true}", "{\"ok\":true,\"result\":{}}",
                 "{\"ok\":true,\"result\":{\"message_id\":0}}",
                 "{\"ok\":true,\"result\":{\"message_id\":\"7\"}}",
                 "{\"ok\":true,\"result\":{\"message_id\":99999999999999999999999}}"):
        yield "odd-" + body, "done", [200, [], body], True
    for status in (301, 302, 307, 308):
        yield "redirect-%d" % status, "http", [status, ["Location: " + away], ""], None
    yield ("limit", *limit({"retry_after": 1}), True)
    yield ("limit-header", *limit(None, ["Retry-After: 1"]), True)
    yield ("limit-words", *limit(None, (), "Too Many Requests: retry after 1"), True)
    yield ("limit-none", *limit(), True)
    yield ("limit-text", *limit({"retry_after": "1"}), True)
    yield "limit-html", "http", [429, ["Retry-After: 1"], HTML], True
    yield ("limit-date", *limit(None, ["Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"]), True)
    for what in ("before", "after", "half"):
        yield what, what, None, None
    yield "slow", "slow", 2, True
    yield "front-404", "http", [404, [], HTML], True
    yield "front-403", "http", [403, [], HTML], True


def telegram_strict_sends_once_whatever_comes_back():
    with World() as (s, b):
        one = answers(s)
        asked, who = {}, 100
        must = {}
        for name, what, value, arrives in send_faults():
            who += 1
            s.fault("sendMessage", what, 1, value, chat=who)
            s.say(who, "/help")
            must[who] = (name, arrives)
            asked[who] = [one["/help"]]
            assert s.wait(lambda: not any(f["times"] for f in s.faults), 20), name
        for name_who, (name, arrives) in must.items():
            if arrives:
                assert s.wait(lambda: s.ledger(name_who), 20), "nothing arrived after " + name
        for w in asked:
            s.say(w, "/language")
            asked[w].append(one["/language"])
        assert s.wait(lambda: all(s.ledger(w)[-1:] and shown(s, w)[-1] == asked[w][-1]
                                  for w in asked), 40), [
            must[w][0] for w in asked if shown(s, w)[-1:] != asked[w][-1:]]
        held(s, b, asked)
        assert not OTHER, "a redirect was followed: %r" % OTHER


def telegram_strict_limits_hold_nobody_else():
    """Limits of very different length for many chats: everybody else is answered at once; what was
    limited is not asked for again before, also by the next run."""
    with World() as (s, b):
        one = answers(s)
        until = {}
        for n, seconds in enumerate((3019, 10072, 60, 10 ** 30, 900, 86400, 7)):
            who = 200 + n
            what, value = limit({"retry_after": seconds})
            s.fault("sendMessage", what, 1, value, chat=who)
            s.say(who, "/help")
            until[who] = seconds
        assert s.wait(lambda: not any(f["times"] for f in s.faults), 10)
        start = time.time()
        s.say(300, "/help")
        assert s.wait(lambda: s.ledger(300), 3), "somebody else waited"
        before = len(s.requests)
        b.stop()
        b.start()
        assert b.ready()
        s.say(301, "/help")
        assert s.wait(lambda: s.ledger(301), 5), "somebody else waited after a restart"
        for who in until:
            s.say(who, "/language")
        assert s.wait(lambda: len(s.ledger(206)) == 2, 15), "a limit of 7 s"
        assert time.time() - start >= 6, "asked too early"
        assert shown(s, 206) == [one["/help"], one["/language"]], "out of order"
        early = [c for t, m, c in s.requests[before:] if m == "sendMessage" and c in until and
                 until[c] > 7]
        assert not early, "asked before the limit ended: %r" % early


def poll_faults():
    away = elsewhere()
    for status in (400, 404, 413, 431, 500, 502, 503, 504):
        yield "http", [status, [], HTML if status > 499 else ""]
    for status in (301, 302, 308):
        yield "http", [status, ["Location: " + away], ""]
    for body in ("", "{", "null", "[]", "{\"ok\":true}", "{\"ok\":true,\"result\":{}}",
                 "{\"ok\":true,\"result\":[{}]}", "{\"ok\":true,\"result\":[7,null,\"x\"]}",
                 "{\"ok\":true,\"result\":[{\"update_id\":-5}]}",
                 "{\"ok\":true,\"result\":[{\"update_id\":1e9}]}",
                 "{\"ok\":true,\"result\":[{\"update_id\":99999999999999999999}]}",
                 "{\"ok\":true,\"result\":[" + "[" * 100000, "\xff\xfe"):
        yield "http", [200, [], body]
    yield limit({"retry_after": 1})
    yield limit(None, ["Retry-After: 1"])
    yield limit()
    yield "http", [401, [], HTML]
    for what in ("before", "after", "half", "slow"):
        yield what, 1


def telegram_strict_polls_through_everything():
    with World() as (s, b):
        one = answers(s)
        wanted = []
        for n, (what, value) in enumerate(poll_faults()):
            s.fault("getUpdates", what, 1, value)
            c = COMMANDS[n % len(COMMANDS)]
            s.say(7, c)
            wanted.append(one[c])
            assert s.wait(lambda: len(s.ledger(7)) == len(wanted), 25), "deaf after %s %.60r" % (
                what, value)
        held(s, b, {7: wanted}, 0)
        assert not OTHER, "a redirect was followed"


def telegram_strict_knows_what_it_has_seen():
    """The same updates again; then numbers that begin anew, among them some that were seen."""
    with World() as (s, b):
        one = answers(s)
        s.restart_ids(41)
        wanted, seen = {7: [], 8: []}, []
        for n in range(6):
            for who in (7, 8):
                c = COMMANDS[n % len(COMMANDS)]
                s.say(who, c)
                seen.append(s.queue[-1] if s.queue else None)
                wanted[who].append(one[c])
        assert s.wait(lambda: all(len(s.ledger(w)) == 6 for w in wanted), 10)
        for _ in range(3):
            s.redeliver([u for u in seen if u])
            assert s.wait(lambda: not s.queue, 10), "what came again is not confirmed"
        time.sleep(0.5)
        held(s, b, wanted, 0)
        for first in (41, 45, 1999999990, 3):
            s.restart_ids(first)
            for who in (7, 8):
                s.say(who, "/language")
                wanted[who].append(one["/language"])
            assert s.wait(lambda: all(len(s.ledger(w)) == len(wanted[w]) for w in wanted), 10), (
                "lost at %d" % first)
        held(s, b, wanted, 0)


def telegram_strict_keeps_the_order_of_one_batch():
    with World() as (s, b):
        one = answers(s)
        rng = random.Random(3)
        wanted = {}
        s.fault("getUpdates", "delay", 1, 1)
        for n in range(60):
            who = 10 + rng.randrange(5)
            c = rng.choice(COMMANDS)
            s.say(who, c)
            wanted.setdefault(who, []).append(one[c])
        s.delay_s = 0.005
        assert s.wait(lambda: all(len(s.ledger(w)) == len(wanted[w]) for w in wanted), 20)
        held(s, b, wanted, 0)


def telegram_strict_bears_every_kind_of_update():
    described = Strict.spec
    if not described:
        return "api.json does not lie beside the project"
    with World() as (s, b):
        one = answers(s)
        rng = random.Random(5)
        strange = Strange(rng, described)
        kinds = [f for f in described["types"]["Update"]["fields"] if f["name"] != "update_id"]
        wanted = []
        for turn in range(20 if LONG else 4):
            for f in kinds:
                s.push(f["name"], strange.value(f["types"][0], 0))
            for field in rng.sample(described["types"]["Message"]["fields"], 25):
                message = {"message_id": 5, "from": s.user(900 + turn), "chat": s.chat(900 + turn),
                           "date": 1, field["name"]: strange.value(field["types"][0], 1)}
                s.push(rng.choice(("message", "edited_message")), message)
            for text in ("\ud800" + "z" * 50000, "\U0001f600" * 5000, "\u2068" * 3000, "/" * 4096,
                         "\u0660" * 300, "/start " + "A" * 64, "/start j_" + "-" * 62):
                s.meet(950)
                s.say(950, text)
            s.press(960, 5, "x" * 64)
            s.press(960, 2 ** 60, "\ud800")
            s.push("callback_query", {"id": "no message", "from": s.user(960), "chat_instance": "1",
                                      "inline_message_id": "i", "data": "1"})
            s.push("callback_query", {"id": "no data", "from": s.user(960), "chat_instance": "1",
                                      "game_short_name": "g"})
            s.say(7, COMMANDS[turn % len(COMMANDS)])
            wanted.append(one[COMMANDS[turn % len(COMMANDS)]])
            assert s.wait(lambda: len(s.ledger(7)) == len(wanted), 30), "deaf"
            assert s.wait(lambda: not s.queue, 20), "not confirmed"
        held(s, b, {7: wanted}, 0)
        answered = [r for r in s.requests if r[1] == "answerCallbackQuery"]
        assert s.wait(lambda: len([r for r in s.requests if r[1] == "answerCallbackQuery"]) >=
                      4 * len(wanted), 10), "%d presses answered" % len(answered)
        counts = json.loads(b.command("status", "--json").stdout)["counts"]["value"]
        assert "failed turns 0" in counts, counts


# ---- a member who presses everything ----

CANARY = "canary-word-of-a-member"


def buttons(message):
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [x for row in rows for x in row if "callback_data" in x]


def press_everything(s, rng, people, steps):
    """Presses whatever is shown, types words where something is asked."""
    for step in range(steps):
        who = rng.choice(people)
        shown_to = [m for m in s.ledger(who) if buttons(m) and not m.get("deleted")]
        kind = rng.random()
        before = s.count
        if shown_to and kind < 0.75:
            m = rng.choice(shown_to[-3:])
            s.press(who, m["message_id"], rng.choice(buttons(m))["callback_data"])
        elif kind < 0.9:
            s.say(who, "/" + rng.choice(everything))
        else:
            s.say(who, "%s %d \u05e9\u05dc\u05d5\u05dd \U0001f600" % (CANARY, step))
        s.wait(lambda: s.count > before + 1 and not s.queue, 3)


everything = """start help language events partners podcast match chats offers stories survey forum profile
pause privacy safety cancel mydata link feedback announce approve queue newevent round invite stats tickets
train judge reports role audit check""".split()


def telegram_strict_a_member_who_presses_everything():
    steps = 4000 if LONG else 260
    with World() as (s, b):
        rng = random.Random(int(os.environ.get("SEED", "1")))
        people = list(range(20, 26))
        for who, role in zip(people, ("admin", "coordinator", "safety", "judge", "member", "member")):
            played.join(s, b, who, role, "arava" if role != "admin" and role != "safety" else None)
        languages = ["en", "ar", "he"]
        for i, who in enumerate(people):
            s.say(who, "/language")
            s.wait(lambda: False, 0.2)
            m = [m for m in s.ledger(who) if buttons(m)][-1]
            s.press(who, m["message_id"], buttons(m)[i % len(languages)]["callback_data"])
        press_everything(s, rng, people, steps)
        assert s.wait(lambda: not s.queue and not s.callbacks, 20), "a press is not answered: %r" % (
            s.callbacks)
        counts = json.loads(b.command("status", "--json").stdout)["counts"]["value"]
        assert "failed turns 0" in counts, counts
        print("# %d messages, %d requests" % (sum(len(s.ledger(w)) for w in people), len(s.requests)))
        assert CANARY not in b.said(), "a word of a member was printed"
        for folder, _, names in os.walk(b.folder):
            for name in names:
                if name in ("token", "notify", "control"):
                    continue
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                # What somebody asked for as a file of their own data lies there until it is sent.
                hidden = (CANARY,) if not name.endswith(".json") else ()
                for word in hidden + (played.SECRET, "Canary-Name"):
                    assert word.encode() not in data, "%s in %s" % (word, name)


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("telegram_strict_") and callable(f)
             and only in name]
    if not os.path.exists(played.BOT):
        print("ok 1 - telegram_strict # skip %s is not built" % played.BOT)
        return 0
    bad = 0
    for number, test in enumerate(tests, 1):
        start = time.time()
        try:
            skip = test()
            print("ok %d - %s # %s" % (number, test.__name__, "skip " + skip if skip else
                                       "%.1f s" % (time.time() - start)), flush=True)
        except AssertionError as why:
            bad += 1
            print("not ok %d - %s\n# %s" % (number, test.__name__, str(why)[:2000]), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
