#!/usr/bin/python3
"""The whole bot as a service against the strict Telegram server."""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telegram_server import Server, TOKEN  # noqa: E402
from tls_relay import TlsRelay  # noqa: E402

BOT = os.environ.get("BOT", "build/san/alumhub-bot")
SECRET = TOKEN.split(":")[1]
CONFIG = """[bot]
database = bot.db
key_file = key
languages = en ar he
[content]
words = {root}/config/words
partners = {root}/config/partners.json
[telegram]
token_file = token
api_root = {api}
per_second = {per_second}
per_chat_second = 1000
connections = 8
"""


class Bot:
    def __init__(self, server, per_second=1000):
        self.folder = tempfile.mkdtemp(prefix="telegram-bot-", dir="build")
        self.write("token", TOKEN + "\n")
        self.write("key", "0123456789abcdef0123456789abcdef")
        self.write("bot.ini", CONFIG.format(root=os.getcwd(), api=server.address,
                                            per_second=per_second))
        self.server, self.process = server, None
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.abspath(self.path("notify")))
        self.notify.settimeout(20)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)

    def start(self):
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen(
                [BOT, "--config", self.path("bot.ini"), "run"], stdout=out, stderr=out,
                env=dict(os.environ, NOTIFY_SOCKET=os.path.abspath(self.path("notify"))))
        return self

    def ready(self):
        while True:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return True
            except socket.timeout:
                return False

    def command(self, *words):
        return subprocess.run([BOT, "--config", self.path("bot.ini"), *words], timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            return "no end within 10 s", 10
        return status, time.monotonic() - start

    def said(self):
        with open(self.path("out"), errors="replace") as f:
            return f.read()

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.notify.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class World:
    def __init__(self, **options):
        self.options = options

    def __enter__(self):
        self.server = Server()
        self.server.start()
        self.bot = Bot(self.server, **self.options).start()
        assert self.bot.ready(), "no READY=1: " + self.bot.said()[-1500:]
        return self.server, self.bot

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                status, seconds = self.bot.stop()
                assert status == 0, "exit %r: %s" % (status, self.bot.said()[-3000:])
                assert seconds < 5, "SIGTERM took %.1f s" % seconds
                assert not self.server.violations, self.server.violations
                assert SECRET not in self.bot.said(), "the token was printed"
        finally:
            self.bot.end()


def expect(got, wanted):
    assert got == wanted, "got %r, wanted %r" % (got, wanted)


def telegram_bot_answers_in_the_language():
    with World() as (s, _):
        s.say(7, "/help")
        assert s.wait(lambda: s.ledger(7)), "no answer to /help"
        s.say(8, "/start", language="he")
        assert s.wait(lambda: s.ledger(8)), "no answer to /start"
        assert s.ledger(8)[-1].get("reply_markup"), "no choice of languages"
        m = s.ledger(8)[-1]
        rows = m["reply_markup"]["inline_keyboard"]
        s.press(8, m["message_id"], [b for r in rows for b in r if "callback_data" in b][0][
            "callback_data"])
        assert s.wait(lambda: not s.callbacks), "the press was not answered"
        s.press(8, m["message_id"], "forged.1")
        assert s.wait(lambda: not s.callbacks), "a forged press was not answered"


def telegram_bot_sets_menus_only_when_changed():
    with World() as (s, b):
        assert s.wait(lambda: len(s.menus) >= 4, 10), s.menus.keys()
        s.wait(lambda: False, 0.5)
        count = len([r for r in s.requests if r[1].startswith("setMy")])
        b.stop()
        b.start()
        assert b.ready()
        time.sleep(1)
        expect(len([r for r in s.requests if r[1].startswith("setMy")]), count)


def telegram_bot_says_nothing_personal_in_a_group():
    with World() as (s, _):
        s.meet(-1001, "met")
        s.say(7, "hello all", chat=-1001)
        s.say(7, "/profile@alum_bot", chat=-1001)
        s.say(7, "/events@other_bot", chat=-1001)
        assert s.wait(lambda: s.ledger(-1001)), "no word in the group"
        time.sleep(0.5)
        expect(len(s.ledger(-1001)), 1)


def telegram_bot_tells_nothing_to_whom_it_does_not_trust():
    server = Server()
    server.start()
    relay = TlsRelay(tempfile.mkdtemp(prefix="telegram-tls-", dir="build"),
                     int(server.address.rpartition(":")[2]))
    server.address = "https://localhost:%d" % relay.port
    b = Bot(server).start()
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end and "certificate" not in b.command("status").stdout:
            time.sleep(0.2)
        said = b.command("status").stdout
        assert "certificate" in said, said
        assert not server.requests, server.requests
        assert SECRET not in said + b.said(), "the token was printed"
    finally:
        b.end()
        relay.close()
        shutil.rmtree(relay.folder)


def telegram_bot_doubles_nothing_in_doubt():
    for what in ("before", "after", "half", "after502", "after500", "empty"):
        with World() as (s, _):
            s.say(7, "/help")
            s.wait(lambda: s.ledger(7))
            time.sleep(0.2)
            before = len(s.ledger(7))
            s.fault("sendMessage", what, 1)
            s.say(7, "/help")
            s.say(8, "/help")
            assert s.wait(lambda: s.ledger(8))
            time.sleep(0.7)
            assert len(s.ledger(7)) <= 2 * before, "doubled after " + what


def telegram_bot_waits_for_a_limit_alone():
    with World() as (s, _):
        s.say(7, "/help")
        s.say(8, "/help")
        assert s.wait(lambda: s.ledger(7) and s.ledger(8))
        s.fault("sendMessage", "no", 1, [429, "Too Many Requests: retry after 2",
                                         {"retry_after": 2}], chat=7)
        start, had = time.time(), len(s.ledger(7))
        s.say(7, "/help")
        s.say(8, "/help")
        assert s.wait(lambda: len(s.ledger(8)) > 1, 1.5), "somebody else waited"
        assert s.wait(lambda: len(s.ledger(7)) > had, 10)
        assert time.time() - start >= 2


def telegram_bot_survives_an_outage():
    with World() as (s, b):
        s.say(7, "/help")
        assert s.wait(lambda: s.ledger(7))
        s.down()
        time.sleep(1.5)
        for who in range(20, 25):
            s.say(who, "/help")
        s.up()
        for who in range(20, 25):
            assert s.wait(lambda: s.ledger(who), 25), "lost in an outage"
        done = b.command("status")
        assert done.returncode == 0 and "telegram" in done.stdout, done.stdout


def telegram_bot_hides_the_token():
    with World() as (s, b):
        s.say(7, "a word of a member that is nobody's business")
        assert s.wait(lambda: s.ledger(7))
        s.fault("sendMessage", "502", 1)
        s.fault("getUpdates", "502", 2)
        s.say(7, "/help")
        time.sleep(1)
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (b.process.pid, name), "rb") as f:
                assert SECRET.encode() not in f.read(), name
        assert "nobody's business" not in b.said() and "Canary" not in b.said()
        for name in os.listdir(b.folder):
            if name not in ("token", "notify", "control"):
                with open(b.path(name), "rb") as f:
                    data = f.read()
                for canary in (SECRET, "nobody's business", "Canary-Name"):
                    assert canary.encode() not in data, "%s in %s" % (canary, name)


def telegram_bot_refused_token_ends_with_77():
    server = Server(token="424242:another_token")
    server.start()
    bot = Bot(server).start()
    try:
        expect(bot.process.wait(20), 77)
        assert SECRET not in bot.said()
    finally:
        bot.end()


def join(server, bot, who, role, org=None):
    """A role for `who`, by a code made on the command line."""
    made = bot.command("invite", "--role", role, *(["--org", org] if org else []))
    server.say(who, "/start " + made.stdout.split()[0])
    assert server.wait(lambda: server.ledger(who)), made.stdout
    press(server, who, 0)
    assert server.wait(lambda: len(server.ledger(who)) > 1)


def press(server, who, k):
    m = server.ledger(who)[-1]
    buttons = [b for row in m["reply_markup"]["inline_keyboard"] for b in row]
    server.press(who, m["message_id"], buttons[k]["callback_data"])


def telegram_bot_alarms_the_admins():
    with World() as (s, b):
        join(s, b, 7, "admin")
        had = len(s.ledger(7))
        s.fault("getUpdates", "no", 3, [409, "Conflict: terminated by other getUpdates request; "
                                        "make sure that only one bot instance is running"])
        s.say(8, "/help")
        assert s.wait(lambda: any("network.telegram" in m.get("text", "")
                                  for m in s.ledger(7)[had:]), 40), s.texts(7)
        assert "conflict" in str(s.texts(7)[had:]), s.texts(7)
        assert s.wait(lambda: "All right again" in str(s.texts(7)[had:]), 40), s.texts(7)
        assert "alarm.network" not in b.command("status").stdout


def watchdog_said(bot, seconds):
    """How often WATCHDOG=1 was said meanwhile."""
    end, count = time.monotonic() + seconds, 0
    bot.notify.settimeout(0.1)
    while time.monotonic() < end:
        try:
            count += b"WATCHDOG=1" in bot.notify.recv(4096)
        except socket.timeout:
            pass
    bot.notify.settimeout(20)
    return count


def telegram_bot_watchdog_is_the_loops_progress():
    os.environ["WATCHDOG_USEC"] = "1000000"
    try:
        with World() as (s, b):
            assert watchdog_said(b, 3) >= 4, "an idle loop is alive"
            s.down()
            assert watchdog_said(b, 3) >= 4, "a network that is down is no reason for a kill"
            s.up()
            b.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            watchdog_said(b, 0.3)
            hung = watchdog_said(b, 2)
            b.process.send_signal(signal.SIGCONT)
            assert not hung, "a loop that stands still says nothing"
    finally:
        del os.environ["WATCHDOG_USEC"]


def telegram_bot_reads_the_configuration_again():
    with World() as (s, b):
        with open(b.path("bot.ini")) as f:
            ini = f.read()
        good = ini.replace("[content]", "zone_override = Asia/Hebron 2027-03-27T02:00 +03:00\n[content]")
        for text in (good + "[ops]\nroom = telegram:-1001\n",
                             good + "[nonsense]\nx = 1\n"):
            b.write("bot.ini", text)
            b.process.send_signal(signal.SIGHUP)
            assert b.ready(), "no READY=1 after a reload"
        assert "nonsense" in b.said(), "a broken configuration is not named"
        # The good one is what counts: its room hears the alarms.
        s.meet(-1001, "met")
        s.fault("getUpdates", "no", 3, [409, "Conflict: terminated by other getUpdates request; "
                                        "make sure that only one bot instance is running"])
        s.say(8, "/help")
        assert s.wait(lambda: "network.telegram" in str(s.texts(-1001)), 40), b.said()[-800:]


CONFLICT = [409, "Conflict: terminated by other getUpdates request; "
            "make sure that only one bot instance is running"]


def telegram_bot_follows_a_group_that_moved():
    with World() as (s, b):
        with open(b.path("bot.ini"), "a") as f:
            f.write("[ops]\nroom = telegram:-1001\n")
        b.process.send_signal(signal.SIGHUP)
        assert b.ready()
        s.meet(-1001, ("moved", -1002))
        s.meet(-1002, "met")
        s.fault("getUpdates", "no", 3, CONFLICT)
        s.say(8, "/help")
        assert s.wait(lambda: "All right again" in str(s.texts(-1002)), 40), s.texts(-1002)
        expect(len([x for x in s.texts(-1002) if "Needs a look" in x]), 1)


def telegram_bot_limit_survives_a_restart():
    """A 429 that holds for the whole network is kept: the next run does not ask before it ends."""
    with World() as (s, b):
        for who in (7, 8, 9, 10):
            s.say(who, "/help")
        assert s.wait(lambda: all(s.ledger(who) for who in (7, 8, 9, 10)))
        time.sleep(1)
        for who in (7, 8, 9):
            s.fault("sendMessage", "no", 1, [429, "Too Many Requests: retry after 6",
                                             {"retry_after": 6}], chat=who)
        start, had = time.time(), len(s.ledger(10))
        for who in (7, 8, 9):
            s.say(who, "/help")
            time.sleep(0.3)
        b.stop()
        b.start()
        assert b.ready()
        s.say(10, "/help")
        assert s.wait(lambda: len(s.ledger(10)) > had, 15), "lost"
        assert time.time() - start >= 5.9, "asked after %.1f s" % (time.time() - start)


def telegram_bot_kill_at_any_moment():
    rounds = int(os.environ.get("TELEGRAM_KILLS", "8"))
    rng = random.Random(11)
    server = Server()
    server.start()
    bot = Bot(server).start()
    try:
        assert bot.ready()
        people = list(range(100, 100 + rounds * 10))
        for n in range(rounds):
            for who in people[n * 10:n * 10 + 10]:
                server.say(who, "/help")
            time.sleep(rng.random() * 0.4)
            bot.kill()
            bot.start()
        assert bot.ready()
        assert server.wait(lambda: server.report()["queue"] == 0, 30), "not confirmed"
        time.sleep(1.5)
        counts = [len(server.ledger(who)) for who in people]
        usual = max(set(counts), key=counts.count)
        more = [c for c in counts if c > usual]
        less = sum(1 for c in counts if c < usual)
        print("# %d kills, %d messages, %d without a whole answer" % (rounds, len(people), less))
        assert not more, "doubled: %r" % counts
        assert less <= rounds * 8, "more than could be under way"
        assert not server.violations, server.violations
    finally:
        bot.end()


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("telegram_") and callable(f)
             and only in name]
    if not os.path.exists(BOT):
        print("ok 1 - telegram_bot # skip %s is not built" % BOT)
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


if __name__ == "__main__":
    sys.exit(main())
