#!/usr/bin/python3
"""The transport under a smallest engine (telegram_engine.c) against the strict server: faults at every
phase, outages, limits, kills. Nothing lost, nothing doubled, no token anywhere."""
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telegram_server import Server, TOKEN  # noqa: E402

ENGINE = "build/san/net/telegram_engine"
SECRET = TOKEN.split(":")[1]


class Bot:
    """The program under test, with a folder of its own."""

    def __init__(self, server):
        self.folder = tempfile.mkdtemp(prefix="telegram-", dir="build")
        self.journal = os.path.join(self.folder, "journal")
        self.token = os.path.join(self.folder, "token")
        with open(self.token, "w") as f:
            f.write(TOKEN + "\n")
        self.server = server
        self.out = open(os.path.join(self.folder, "out"), "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([ENGINE, self.server.address, self.token, self.journal],
                                        stdout=self.out, stderr=self.out)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """The exit status of a clean stop."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            return "no end within 5 s"

    def said(self):
        with open(os.path.join(self.folder, "out"), errors="replace") as f:
            return f.read()

    def fates(self):
        """How many shipments ended in each fate: sent, later, refused, uncertain."""
        last = {}
        with open(self.journal, errors="replace") as f:
            for line in f:
                word = line.split()
                if len(word) == 3 and word[0] == "f":
                    last[word[1]] = int(word[2])
        return [sum(1 for v in last.values() if v == n) for n in range(4)]

    def end(self):
        status = self.stop() if self.process and self.process.poll() is None else 0
        said = self.said()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status, said


def echo(text):
    return "echo: \u2068%s\u2069" % text


class World:
    """A server and a bot; at the end both must be clean."""

    def __enter__(self):
        self.server = Server()
        self.server.start()
        self.bot = Bot(self.server).start()
        return self.server, self.bot

    def __exit__(self, kind, value, trace):
        status, said = self.bot.end()
        if kind is None:
            assert status == 0, "exit %r: %s" % (status, said[-2000:])
            assert not self.server.violations, self.server.violations
            assert SECRET not in said, "the token was printed"


def expect(got, wanted):
    assert got == wanted, "got %r, wanted %r" % (got, wanted)


def telegram_answers_and_edits():
    with World() as (s, _):
        s.say(7, "one & <b> \U0001f600 \u05e9\u05dc\u05d5\u05dd")
        expect(s.wait_texts(7, 1), [echo("one & <b> \U0001f600 \u05e9\u05dc\u05d5\u05dd")])
        m = s.ledger(7)[0]
        expect(m["entities"], [{"type": "bold", "offset": 0, "length": 5}])
        s.press(7, m["message_id"], "s.1")
        assert s.wait(lambda: s.ledger(7)[0].get("edited")), "not edited"
        assert s.wait(lambda: not s.callbacks), "the press was not answered"


def telegram_keeps_order_per_chat():
    with World() as (s, _):
        for i in range(30):
            for who in range(7, 17):
                s.say(who, "n%d" % i)
        for who in range(7, 17):
            expect(s.wait_texts(who, 30, 20), [echo("n%d" % i) for i in range(30)])
        assert s.max_open <= 9, "more connections than configured: %d" % s.max_open


def telegram_in_doubt_sends_once():
    for what in ("before", "after", "half", "502", "after502", "after500", "empty"):
        with World() as (s, b):
            s.say(7, "warm")
            s.wait_texts(7, 1)
            s.fault("sendMessage", what, 1)
            s.say(7, "doubt")
            s.say(7, "last")
            assert s.wait(lambda: s.texts(7) and s.texts(7)[-1] == echo("last")), what
            assert s.texts(7).count(echo("doubt")) <= 1, "doubled: " + what
            sends = [r for r in s.requests if r[1] == "sendMessage"]
            assert len(sends) == 3, "%s: %d requests for 3 messages" % (what, len(sends))
            assert s.wait(lambda: b.fates() == [2, 0, 0, 1]), "%s: %r" % (what, b.fates())


def telegram_limit_of_a_chat_holds_nobody_else():
    with World() as (s, _):
        s.fault("sendMessage", "no", 1, [429, "Too Many Requests: retry after 2",
                                         {"retry_after": 2}], chat=7)
        start = time.time()
        s.say(7, "slow")
        s.say(8, "quick")
        expect(s.wait_texts(8, 1), [echo("quick")])
        assert time.time() - start < 1.5
        expect(s.wait_texts(7, 1), [echo("slow")])
        assert time.time() - start >= 2


def telegram_poll_survives_every_fault():
    with World() as (s, _):
        n = 0
        for what, value in (("before", None), ("half", None), ("502", None), ("empty", None),
                            ("no", [500, "Internal Server Error"]),
                            ("no", [429, "Too Many Requests", {"retry_after": 1}]),
                            ("raw", "{\"ok\":true,\"result\":[{\"upd"), ("raw", "\ud800"),
                            ("raw", "[]"), ("raw", "{}")):
            s.fault("getUpdates", what, 1, value)
            s.say(7, "m%d" % n)
            n += 1
            assert s.wait(lambda: len(s.ledger(7)) >= n, 15), "lost after " + what
        expect(s.texts(7), [echo("m%d" % i) for i in range(n)])


def telegram_poison_costs_only_itself():
    with World() as (s, _):
        user = '"from":{"id":7,"is_bot":false},"chat":{"id":7,"type":"private"},"date":1'
        s.meet(7)
        for text in ('"\\ud800"', '"x","odd":1e999', '"x","odd":' + "9" * 40,
                     '"x","odd":' + "[" * 5000 + "]" * 5000, "7", "{}"):
            s.push_raw('{"update_id":ID,"message":{"message_id":5,%s,"text":%s}}' % (user, text))
        s.push_raw('{"update_id":ID,"message":"odd"}')
        s.push_raw('{"update_id":ID,"new_kind":{}}')
        s.say(7, "well")
        assert s.wait(lambda: echo("well") in s.texts(7))
        assert s.wait(lambda: s.report()["queue"] == 0), "not confirmed"


def telegram_ids_may_start_again():
    with World() as (s, _):
        s.say(7, "a")
        s.wait_texts(7, 1)
        s.wait(lambda: s.report()["queue"] == 0)
        for first in (5000, 1900000000, 12):
            s.restart_ids(first)
            s.say(7, "at %d" % first)
            assert s.wait(lambda: echo("at %d" % first) in s.texts(7)), first
        expect(len(s.texts(7)), 4)


def telegram_outage_loses_nothing():
    with World() as (s, b):
        s.say(7, "a")
        s.wait_texts(7, 1)
        s.down()
        time.sleep(1.5)
        for i in range(5):
            s.say(7, "b%d" % i)
        s.up()
        expect(s.wait_texts(7, 6, 30), [echo(t) for t in ("a", "b0", "b1", "b2", "b3", "b4")])
        assert s.wait(lambda: b.said().rstrip().endswith("health 1"), 10), b.said()


def telegram_dead_connections_are_replaced_at_once():
    with World() as (s, _):
        s.say(7, "a")
        s.wait_texts(7, 1)
        for i in range(5):
            s.cut_connections()
            time.sleep(0.2)
            start = time.time()
            s.say(7, "b%d" % i)
            s.wait_texts(7, 2 + i)
            assert time.time() - start < 1, "a pause after a dead connection"
        expect(len(s.texts(7)), 6)


def telegram_conflict_is_no_end():
    with World() as (s, _):
        s.fault("getUpdates", "no", 1, [409, "Conflict: terminated by other getUpdates request"])
        s.say(7, "a")
        expect(s.wait_texts(7, 1, 20), [echo("a")])


def telegram_webhook_is_taken_away():
    with World() as (s, _):
        s.wait(lambda: s.polls)
        s.webhook = True
        s.fault("getUpdates", "no", 1, [409, "Conflict: can't use getUpdates method while webhook "
                                        "is active; use deleteWebhook to delete the webhook first"])
        s.say(7, "a")
        expect(s.wait_texts(7, 1, 20), [echo("a")])


def telegram_refusals_end_once():
    with World() as (s, b):
        for who, state in ((8, "blocked"), (9, "deactivated"), (10, "unmet")):
            s.say(who, "x")
            s.meet(who, state)
        s.say(7, "x")
        s.wait_texts(7, 1)
        assert s.wait(lambda: sum(b.fates()) == 4)
        time.sleep(0.3)
        assert len([r for r in s.requests if r[1] == "sendMessage"]) <= 4


def telegram_refused_token_is_tried_rarely():
    server = Server(token="424242:another_token")
    server.start()
    bot = Bot(server).start()
    try:
        assert server.wait(lambda: "health 5" in bot.said()), bot.said()
        assert SECRET not in bot.said(), "the token was printed"
        time.sleep(2)
        expect(bot.process.poll(), None)
        expect(bot.said().count("health 5"), 1)
    finally:
        bot.end()


def telegram_token_is_nowhere():
    with World() as (s, b):
        s.say(7, "word of a member")
        s.fault("sendMessage", "502", 1)
        s.fault("getUpdates", "502", 2)
        s.say(7, "again")
        s.wait_texts(7, 1)
        time.sleep(1)
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (b.process.pid, name), "rb") as f:
                assert SECRET.encode() not in f.read(), name
        assert "word of a member" not in b.said() and "Canary" not in b.said()
        for path in glob.glob(b.folder + "/*"):
            if not path.endswith("/token"):
                with open(path, "rb") as f:
                    assert SECRET.encode() not in f.read(), path


def telegram_kill_at_any_moment():
    """What was being sent when it died is in doubt: never twice, and every missing one is counted."""
    rounds = int(os.environ.get("TELEGRAM_KILLS", "12"))
    rng = random.Random(7)
    server = Server()
    server.start()
    bot = Bot(server).start()
    try:
        n = 0
        for _ in range(rounds):
            for _ in range(rng.randrange(5, 40)):
                server.say(7 + n % 9, "k%d" % n)
                n += 1
            time.sleep(rng.random() * 0.25)
            bot.kill()
            bot.start()
        assert server.wait(lambda: server.report()["queue"] == 0 and sum(bot.fates()) == n and
                           not bot.fates()[1], 60), "%r of %d" % (bot.fates(), n)
        texts = [t for who in range(7, 16) for t in server.texts(who)]
        assert len(texts) == len(set(texts)), "doubled"
        missing = n - len(texts)
        sent, _, refused, uncertain = bot.fates()
        print("# %d kills, %d messages, %d sent, %d uncertain, %d of them not arrived" % (
            rounds, n, sent, uncertain, missing))
        assert refused == 0 and missing <= uncertain and sent + uncertain == n
        assert not server.violations, server.violations
    finally:
        bot.end()


def swept(kill_at, phase):
    """The scripted hour with one kill at this request and phase; how many requests there were."""
    server = Server()
    server.start()
    bot = Bot(server)
    killed = []

    def hook(number, method, when):
        if number == kill_at and when == phase and not killed:
            killed.append(method)
            bot.process.kill()

    server.hook = hook
    bot.start()
    try:
        wanted = 0
        for n in range(4):
            for who in (7, 8, 9):
                server.say(who, "s%d" % n)
                wanted += 1
        server.wait(lambda: killed or len(server.ledger(7)) == 4, 10)
        if server.ledger(7):
            server.press(7, server.ledger(7)[0]["message_id"], "s.1")
            wanted += 2
        if server.wait(lambda: killed, 0.1):
            bot.process.wait()
            bot.start()
        assert server.wait(lambda: server.report()["queue"] == 0 and
                           sum(bot.fates()) == wanted and not bot.fates()[1], 20), (
            "%d %s %s: %r of %d" % (kill_at, phase, killed, bot.fates(), wanted))
        arrived = 0
        for who in (7, 8, 9):
            texts = [t for t in server.texts(who) if t != echo("pressed")]
            assert len(texts) == len(set(texts)), "doubled at %d %s" % (kill_at, phase)
            arrived += len(server.texts(who))
        uncertain = bot.fates()[3]
        assert 12 - arrived <= uncertain, "lost at %d %s" % (kill_at, phase)
        assert uncertain <= 8
        return server.count
    finally:
        bot.end()


def telegram_kill_at_each_request_and_phase():
    """Sampled; TELEGRAM_SWEEP=all does every one."""
    total = swept(0, "")
    step = 1 if os.environ.get("TELEGRAM_SWEEP") == "all" else 5
    points = [(n, phase) for n in range(1, total) for phase in ("before", "after")][::step]
    for n, phase in points:
        swept(n, phase)
    print("# %d requests, %d kills: nothing lost, nothing doubled" % (total, len(points)))


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("telegram_") and callable(f)
             and only in name]
    if not os.path.exists(ENGINE):
        print("ok 1 - telegram_transport # skip %s is not built" % ENGINE)
        return 0
    bad = 0
    for number, test in enumerate(tests, 1):
        start = time.time()
        try:
            test()
            print("ok %d - %s # %.1f s" % (number, test.__name__, time.time() - start), flush=True)
        except AssertionError as why:
            bad += 1
            print("not ok %d - %s\n# %s" % (number, test.__name__, why), flush=True)
    return 1 if bad else 0


sys.exit(main())
