#!/usr/bin/python3
"""Running it: what a seized folder shows, the sheet of what is stored, an invented community, status for machines,
the journal's fields, a clean stop with sends in the air."""
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, "tests/chat")
from test_telegram_bot import World, BOT, expect  # noqa: E402

FAST = "build/alumhub-bot" if os.path.exists("build/alumhub-bot") else BOT
KEY = b"0123456789abcdef0123456789abcdef"


class State:
    def __init__(self, more="", bot=BOT, quick=False):
        self.more, self.bot = more, bot
        # Where nothing is about the disk, one in memory: thousands of commits are thousands of syncs.
        self.where = "/dev/shm" if quick and os.access("/dev/shm", os.W_OK) else "build"

    def __enter__(self):
        self.folder = os.path.abspath(tempfile.mkdtemp(prefix="ops-", dir=self.where))
        with open(self.path("bot.ini"), "w") as f:
            f.write("[bot]\ndatabase = state/bot.db\nkey_file = key\n" + self.more)
        with open(self.path("key"), "wb") as f:
            f.write(KEY)
        os.mkdir(self.path("state"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words, text=""):
        p = subprocess.run([self.bot, "--config", self.path("bot.ini"), *words], input=text.encode(), timeout=300,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said, self.out = p.stderr.decode(), p.stdout.decode()
        return p.returncode

    def files(self):
        for root, _, names in os.walk(self.path("state")):
            for name in names:
                with open(os.path.join(root, name), "rb") as f:
                    yield name, f.read()


# ---- seizure ----

def canaries_of(text):
    """What members typed, but commands, choices and numbers. What coordinators and admins write is for everybody: an
    event, an announcement, an offer, a season, a survey's questions."""
    staff = {name for name, role in re.findall(r"^([\w-]+): /start \{invite (\w+)", text, re.M) if role != "member"}
    for line in text.splitlines():
        name, _, said = line.partition(": ")
        if said and name not in staff and re.fullmatch(r"[\w-]+", name) and len(said) > 11 and not re.match(r"[/#!\d]", said):
            yield said


def ops_seized_folder_shows_nobody():
    """Every played conversation, with names that are found again; the folder without the key is searched."""
    from importlib.machinery import SourceFileLoader
    chats = SourceFileLoader("test_chat", "tests/chat/test_chat").load_module()
    searched, canaries, conversations = 0, 0, 0
    for path in sorted(glob.glob("tests/chat/*.chat")):
        text = open(path, encoding="utf-8").read()
        if "crowd" in text:
            continue  # hundreds of people: the same tables as the others
        began = time.time()
        typed = {c.encode() for c in canaries_of(text)}
        with State(chats.CONFIG.split("database = {0}/alumhub.db\n")[1], FAST, quick=True) as s:
            for whole, role, org in re.findall(r"(\{invite (\w+) ([\w-]+)\})", text):
                text = text.replace(whole, chats.invite(s.path("bot.ini"), role, org), 1)
            # Longer than chance, and unlike anything the bot says itself.
            text = re.sub(r"^([\w-]{1,20}): ", r"\1-zq7canary: ", text, flags=re.M)
            shutil.copytree("tests/chat/data", s.path("tests/chat/data"))
            assert s.run("chat", text=text) == 0, "%s: %s" % (path, s.said[-500:])
            wanted = {b"zq7canary", KEY} | typed
            wanted |= {n.encode() for n in re.findall("\u2068(\\w+ \\w+)\u2069", s.out) if n in NICKS}
            conversations += 1
            if os.environ.get("VERBOSE"):
                print("# %s %.1f s" % (path, time.time() - began), flush=True)
            canaries += len(wanted)
            for name, content in s.files():
                if name.endswith((".ics", ".json", ".csv", ".png")):
                    continue  # the terminal's own output: a file that was sent to this very terminal
                searched += len(content)
                for canary in wanted:
                    assert canary not in content, "%s: %r lies open in %s" % (path, canary.decode()[:60], name)
    print("# %d conversations, %d canaries, %d kB searched, 0 found" % (conversations, canaries, searched // 1024))
    assert conversations > 10 and canaries > 40, (conversations, canaries)


def nicks():
    for language in "en", "ar", "he":
        for key, name in json.load(open("config/words/%s.json" % language, encoding="utf-8")).items():
            if key.startswith("nick."):
                yield name


NICKS = set(nicks())


# ---- the sheet ----

def ops_sheet_has_every_column():
    with State(bot=FAST) as s:
        assert s.run("invite", "--role", "admin") == 0, s.said
        sheet = subprocess.run([FAST, "schema"], stdout=subprocess.PIPE, text=True).stdout.splitlines()
        rows = [[c.strip() for c in line.strip("|").split("|")] for line in sheet[2:]]
        assert all(len(r) == 4 and all(r) for r in rows), [r for r in rows if not all(r)][:3]
        db = sqlite3.connect(s.path("state/bot.db"))
        real = set()
        for (table,) in db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table',"
                                   " 'virtual') AND name NOT LIKE 'sqlite%' AND name <> 'schema_version'"):
            for row in db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)):
                real.add("%s.%s" % (table, row[0]))
        db.close()
        listed = {r[0] for r in rows}
        assert listed == real, (sorted(real - listed), sorted(listed - real))
        print("# %d columns" % len(real))


# ---- an invented community ----

def ops_load_demo_fills_an_empty_state_and_says_so():
    with State(bot=FAST) as s:
        start = time.monotonic()
        assert s.run("load-demo", "50000") == 0, s.said
        seconds = time.monotonic() - start
        assert "50000 of 50000 people" in s.said and "50000 invented people" in s.out
        db = sqlite3.connect(s.path("state/bot.db"))
        counts = {t: db.execute("SELECT count(*) FROM " + t).fetchone()[0]
                  for t in ("person", "account", "consent", "meeting", "meeting_past", "event", "rsvp", "role")}
        orgs, languages = db.execute("SELECT count(DISTINCT org), count(DISTINCT language) FROM person").fetchone()
        db.close()
        print("# %.1f s, %r, %d organisations, %d languages" % (seconds, counts, orgs, languages))
        assert counts["person"] == 50000 and orgs > 5 and languages == 3 and min(counts.values()) > 4
        assert s.run("load-demo", "5") == 1 and "expected an empty state" in s.said
        assert s.run("chat", text="demo7: /start\ndemo7: /events\nnew-one: /help\ndemo1: /help\n") == 0
        heard = re.findall(r"^([\w-]+)< ", s.out, flags=re.M)
        # Others may hear of a round of introductions that begins just now; that is marked as well.
        assert [heard.count(name) >= n for name, n in (("demo7", 2), ("new-one", 1), ("demo1", 1))] == [True] * 3, heard
        cards = re.split(r"^[\w-]+< ", s.out, flags=re.M)[1:]
        marks = [json.load(open("config/words/%s.json" % l, encoding="utf-8"))["demo.mark"] for l in ("en", "ar", "he")]
        assert all(any(m in c for m in marks) for c in cards), s.out
        assert s.run("status") == 0 and "50000 invented people" in s.out
        # Real erasure among so many: within five seconds, process, pages and WAL and all.
        start = time.monotonic()
        assert s.run("chat", text="demo77: /forgetme\ndemo77: 1\n") == 0
        seconds = time.monotonic() - start
        db = sqlite3.connect(s.path("state/bot.db"))
        expect(db.execute("SELECT count(*) FROM person").fetchone()[0], 50000)  # new-one came
        expect(db.execute("SELECT count(*) FROM erasure").fetchone()[0], 1)
        db.close()
        print("# /forgetme among 50,000 people: %.2f s with start and end" % seconds)
        assert seconds < 5
    with State(bot=FAST) as s:
        for wrong in ("0", "50001", "many", "-1"):
            assert s.run("load-demo", wrong) == 64, wrong
        s.run("chat", text="noor: /help\n")
        assert s.run("load-demo", "5") == 1 and "expected an empty state" in s.said


# ---- seeing ----

def ops_status_json_is_for_machines():
    with World() as (_, b):
        status = json.loads(b.command("status", "--json").stdout)
        for key in ("network.telegram", "queue", "in_doubt", "counts"):
            assert set(status[key]) == {"good", "value"} and status[key]["good"] is True, (key, status)
        assert isinstance(status["good"], bool)
        assert status["good"] == all(v["good"] for v in status.values() if isinstance(v, dict))


def ops_metrics_are_a_file_and_no_port():
    with World() as (s, b):
        with open(b.path("bot.ini"), "a") as f:
            f.write("[ops]\nmetrics_file = metrics.prom\n")
        b.process.send_signal(signal.SIGHUP)
        assert b.ready()
        s.say(7, "/help")
        assert s.wait(lambda: os.path.exists(b.path("metrics.prom")), 20), "no metrics file"
        text = open(b.path("metrics.prom")).read()
        assert re.search(r"^alumhub_network_up\{network=\"telegram\"\} 1$", text, re.M), text
        for line in text.splitlines():
            assert re.fullmatch(r"# (HELP|TYPE) alumhub_\w+ .+|alumhub_\w+(\{\w+=\"[^\"]*\"\})? -?\d+", line), line
        assert not os.path.exists(b.path("metrics.prom.part"))
        inodes = {l.split()[9] for n in ("tcp", "tcp6") for l in open("/proc/%d/net/%s" % (b.process.pid, n))
                  if l.split()[3] == "0A"}
        mine = {os.readlink(p) for p in glob.glob("/proc/%d/fd/*" % b.process.pid) if os.path.islink(p)}
        assert not any("socket:[%s]" % i in mine for i in inodes), "it listens on a port"


JOURNAL = """
mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/journal && exec "$@"
"""
LISTEN = """
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
out = os.memfd_create("stderr")
st = os.fstat(out)
p = subprocess.Popen(sys.argv[1:], stderr=out, env=dict(os.environ, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino)))
s.settimeout(5)
try:
    while True:
        sys.stdout.write(s.recv(65536).decode("utf-8", "replace") + "\\n")
        sys.stdout.flush()
except OSError:
    pass
p.terminate()
p.wait(10)
sys.stdout.write("STDERR %d\\n" % os.fstat(out).st_size)
"""


def ops_journal_has_fields():
    """With a journal's socket of our own in a mount name space."""
    if os.getuid() or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        print("# skipped: no root or no mount name space")
        return
    if not os.path.isdir("/run/systemd"):
        print("# skipped: /run/systemd is not there")
        return
    with World() as (s, b):
        b.stop()
        p = subprocess.Popen(["unshare", "-m", "sh", "-c", JOURNAL, "sh", sys.executable, "-c", LISTEN, BOT, "--config",
                              b.path("bot.ini"), "run"], stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        s.say(7, "a word of a member that is nobody's business")
        out = p.communicate(timeout=60)[0]
        b.start()
        assert b.ready()
    assert "EVENT=service.ready" in out and "SYSLOG_IDENTIFIER=alumhub-bot" in out, out[-800:]
    assert "EVENT=network.health" in out and "BOT_NETWORK=telegram" in out, out[-800:]
    assert "nobody's business" not in out and "STDERR 0" in out, out[-800:]


# ---- living ----

def ops_clean_stop_with_sends_in_the_air():
    with World() as (s, b):
        for who in range(7, 27):
            s.say(who, "/help")
        assert s.wait(lambda: all(s.ledger(who) for who in range(7, 27)))
        had = {who: len(s.ledger(who)) for who in range(7, 27)}
        s.fault("sendMessage", "silent", 8, 20)
        for who in range(7, 27):
            s.say(who, "/help")
        time.sleep(0.3)
        status, seconds = b.stop()
        expect(status, 0)
        print("# stopped in %.1f s with sends in the air" % seconds)
        assert seconds < 5
        b.start()
        assert b.ready()
        assert s.wait(lambda: sum(len(s.ledger(who)) > had[who] for who in had) >= 12, 20), "lost"


def ops_upgrade_keeps_a_copy_that_ends():
    """One step of the schema back, as an older version left it; the copy of the upgrade ends with [retention] backup."""
    with State(bot=FAST) as s:
        s.run("chat", text="noor: /help\n")
        db = sqlite3.connect(s.path("state/bot.db"), isolation_level=None)
        db.execute("ALTER TABLE account DROP COLUMN late")
        db.execute("UPDATE schema_version SET version = version - 1 WHERE schema = 'people'")
        db.close()
        assert s.run("chat", text="noor: /help\n") == 0, s.said
        copies = glob.glob(s.path("state/bot.db.before-*"))
        expect(len(copies), 1)
        expect(os.stat(copies[0]).st_mode & 0o777, 0o600)
        os.utime(copies[0], (0, time.time() - 29.5 * 86400))
        assert s.run("chat", text="## +2h\nnoor: /help\n") == 0
        expect(glob.glob(s.path("state/bot.db.before-*")), copies)
        os.utime(copies[0], (0, time.time() - 31 * 86400))
        assert s.run("chat", text="## +6h\nnoor: /help\n") == 0
        expect(glob.glob(s.path("state/bot.db.before-*")), [])


def ops_a_service_that_hangs_is_named():
    with World() as (s, b):
        b.process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        done = b.command("status", "--json")
        seconds = time.monotonic() - start
        b.process.send_signal(signal.SIGCONT)
        assert done.returncode == 1 and "the service does not answer" in done.stdout and seconds < 15, (seconds, done)
        assert json.loads(b.command("status", "--json").stdout)
        s.say(7, "/help")
        assert s.wait(lambda: s.ledger(7)), "no answer"


def ops_a_moment_of_another_is_waited_for():
    """`status` at a service's start holds the state for a moment: the service is not refused; a second one is."""
    with State() as s:
        assert s.run("invite", "--role", "admin") == 0, s.said
        for words in (("chat",), ("status",), ("invite", "--role", "admin")):
            with open(s.path("state/bot.db.lock"), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                threading.Timer(0.3, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
                assert s.run(*words, text="noor: /help\n") == 0, (words, s.said)
                fcntl.flock(lock, fcntl.LOCK_EX)
                expect(s.run(*words, text="noor: /help\n"), 1)
                assert "another process holds this state" in s.said, s.said


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("ops_") and callable(f) and only in name]
    if not os.path.exists(BOT):
        print("ok 1 - ops # skip %s is not built" % BOT)
        return 0
    bad = 0
    for number, test in enumerate(tests, 1):
        start = time.time()
        try:
            test()
            print("ok %d - %s # %.1f s" % (number, test.__name__, time.time() - start), flush=True)
        except AssertionError as why:
            bad += 1
            print("not ok %d - %s\n# %s" % (number, test.__name__, str(why).replace("\n", "\n# ")), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
