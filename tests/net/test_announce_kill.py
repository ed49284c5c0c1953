#!/usr/bin/python3
"""kill -9 while an announcement goes out, with real processes on both networks: nobody gets it twice, nobody
vanishes, and the report equals the server's ledger. ANNOUNCE_KILLS=n says how often (6; 200 with LONG=1)."""
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_bot  # noqa: E402
import test_telegram_bot as telegram_bot  # noqa: E402
from telegram_server import Server  # noqa: E402

KILLS = int(os.environ.get("ANNOUNCE_KILLS", "200" if os.environ.get("LONG") else "6"))
SEED = int(os.environ.get("SEED", "7"))
TEXT = "The bus leaves from the north gate"
ISOLATES = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))
SETTINGS = "[announce]\ngrace_seconds = 1\n"


class Telegram:
    sign, people = "/", 200

    def __init__(self):
        self.server = Server()
        self.server.start()
        self.bot = telegram_bot.Bot(self.server, per_second=80)
        with open(self.bot.path("bot.ini"), "a") as f:
            f.write(SETTINGS)
        self.members = list(range(1000, 1000 + self.people))
        self.cora, self.dana = 11, 12

    def slow(self):
        """Answers take a while, so that a kill finds something in the air."""
        self.server.fault("sendMessage", "delay", times=100000, value=0.05)

    def say(self, who, text):
        self.server.say(who, text)

    def heard(self, who):
        return [t or "" for t in self.server.texts(who)]

    def right(self):
        assert not self.server.violations, self.server.violations


class Matrix:
    sign, people = "!", 200 if os.environ.get("LONG") else 60

    def __init__(self):
        self.server = matrix_bot.Homeserver()
        self.bot = matrix_bot.Bot(self.server.start(), encryption="off", more=SETTINGS)
        self.bot.configure(token=matrix_bot.TOKEN)
        with open(self.bot.path("bot.ini")) as f:
            text = f.read().replace("per_minute = 600000", "per_minute = 3000")
        self.bot.write("bot.ini", text)
        self.members = ["@m%d:h" % i for i in range(self.people)]
        self.cora, self.dana = "@cora:h", "@dana:h"
        self.rooms = {}

    def say(self, who, text):
        if who not in self.rooms:
            # Joined already: the bot takes invitations up slowly, on purpose.
            room = self.rooms[who] = self.server.dm(who, joined=False)
            self.server.member(room, matrix_bot.BOT, "join")
        self.server.say(who, self.rooms[who], text)

    def heard(self, who):
        return self.server.bodies(self.rooms[who]) if who in self.rooms else []

    def slow(self):
        pass

    def right(self):
        pass


def everybody(net, who, text):
    """Each says it and waits for an answer."""
    before = {w: len(net.heard(w)) for w in who}
    for w in who:
        net.say(w, text)
    net.server.wait(lambda: all(len(net.heard(w)) > before[w] for w in who), 20)
    late = [w for w in who if len(net.heard(w)) <= before[w]]
    assert not late, "no answer to %r for %r: %s" % (text, late[:3], net.bot.said()[-500:])


def invite(net, role, uses=1):
    made = net.bot.command("invite", "--role", role, "--org", "arava", "--uses", str(uses))
    assert made.returncode == 0, made.stdout
    return re.search(r"\bj_[\w-]{22}", made.stdout)[0]


def join(net):
    coordinators = invite(net, "coordinator", 2)
    members = invite(net, "member", len(net.members))
    net.bot.start()
    assert net.bot.ready(), net.bot.said()[-1000:]
    for who, code in (([net.cora, net.dana], coordinators), (net.members, members)):
        everybody(net, who, net.sign + "start")
        everybody(net, who, "1")  # the language
        everybody(net, who, net.sign + "start " + code)
        everybody(net, who, "1")
    everybody(net, net.members, "1")  # the profile
    time.sleep(0.2)
    for who in net.members:
        net.say(who, "1")  # announcements: an edit
    last = net.members[-1]
    everybody(net, [last], net.sign + "help")
    time.sleep(1)


def begin(net):
    for text in (net.sign + "announce", "10", TEXT, "1", "1", "1", "1", "3"):
        everybody(net, [net.cora], text)
    time.sleep(0.5)
    last = [t.translate(ISOLATES) for t in net.heard(net.cora) if "Recipients" in t][-1]
    assert "Recipients now: %d" % net.people in last, last
    everybody(net, [net.cora], "#1")
    everybody(net, [net.dana], net.sign + "approve")
    everybody(net, [net.dana], "#1")
    time.sleep(0.5)
    net.slow()
    net.say(net.dana, "#1")
    assert net.server.wait(lambda: any(copies(net, m) for m in net.members), 20), "nothing went out: %r %r" % (net.heard(net.dana)[-3:], [t[:70] for t in net.heard(net.cora)[3:]])


def copies(net, who):
    return sum(TEXT in t for t in net.heard(who))


def arrived(net):
    return sum(copies(net, m) for m in net.members)


def report(net):
    """The numbers of the panel, asked for until it is at its end."""
    text = ""
    for _ in range(60):
        everybody(net, [net.dana], net.sign + "queue")
        text = net.heard(net.dana)[-1].translate(ISOLATES)
        if "Done" in text:
            break
        time.sleep(1)
    numbers = {}
    for name in ("Audience", "delivered", "refused by the network", "too late",
                 "in doubt, perhaps not delivered", "left or paused before their turn",
                 "no consent to announcements", "still to come", "in the air"):
        found = re.search("^ *%s: (\\d+)" % re.escape(name), text, re.M)
        numbers[name] = int(found[1]) if found else 0
    return text, numbers


def kill_and_look(net, exactly_once):
    rng = random.Random(SEED)
    try:
        join(net)
        begin(net)
        killed = 0
        while killed < KILLS and arrived(net) < net.people:
            time.sleep(rng.uniform(0.02, 0.25))
            net.bot.kill()
            net.bot.start()
            killed += 1
            assert net.bot.ready(), net.bot.said()[-1000:]
        text, n = report(net)
        time.sleep(1)
        got = [copies(net, m) for m in net.members]
        doubt = n["in doubt, perhaps not delivered"]
        print("# %d kills, %d people: delivered %d, in doubt %d, arrived %d" %
              (killed, net.people, n["delivered"], doubt, sum(got)))
        assert "Done" in text, text
        assert killed >= min(KILLS, 3), "it was over before it could be killed"
        assert max(got) <= 1, "twice: %d" % sum(g > 1 for g in got)
        # Two coordinators who never said yes to announcements belong to the audience too.
        assert n["no consent to announcements"] == 2, text
        assert sum(n.values()) - n["Audience"] == n["Audience"] == net.people + 2, text
        assert n["delivered"] <= sum(got) <= n["delivered"] + doubt, text
        if exactly_once:
            assert n["delivered"] == sum(got) == net.people and not doubt, text
        net.right()
    finally:
        net.bot.end()


def announce_kill_on_telegram_nobody_twice_every_doubt_reported():
    kill_and_look(Telegram(), False)


def announce_kill_on_matrix_exactly_once():
    kill_and_look(Matrix(), True)


def main():
    only = os.environ.get("ONLY", "")
    bad = 0
    tests = [f for name, f in globals().items() if name.startswith("announce_") and only in name]
    if not os.path.exists(telegram_bot.BOT):
        print("ok 1 - announce_kill # skip %s is not built" % telegram_bot.BOT)
        return 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__name__), flush=True)
        except AssertionError as why:
            bad += 1
            print("not ok %d - %s\n# %s" % (number, test.__name__, str(why).replace("\n", "\n# ")), flush=True)
    return bad > 0


sys.stdout.flush()
code = main()
sys.stdout.flush()
os._exit(code)
