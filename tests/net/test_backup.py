#!/usr/bin/python3
"""Backup and restore: the drill. Online, sealed, nothing plain on its way; back into the same program and a newer
one, never into an older; nobody who was erased since comes back; the wrong key, a cut and a flipped byte are named."""
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sealed  # noqa: E402
from test_telegram_bot import Bot, World, BOT, expect  # noqa: E402

HE = json.load(open("config/words/he.json", encoding="utf-8"))
KEY = b"0123456789abcdef0123456789abcdef"
PLAIN = b"SQLite format 3\0"


class Place:
    """A state that was talked to in the terminal."""

    def __enter__(self):
        self.folder = os.path.abspath(tempfile.mkdtemp(prefix="backup-", dir="build"))
        self.database, self.ini = self.path("bot.db"), self.path("bot.ini")
        with open(self.path("key"), "wb") as f:
            f.write(KEY)
        self.configure("")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, more):
        with open(self.ini, "w") as f:
            f.write("[bot]\ndatabase = bot.db\nkey_file = key\n" + more)

    def run(self, *words, text=""):
        p = subprocess.run([BOT, "--config", self.ini, *words], input=text.encode(), timeout=60,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said, self.out = p.stderr.decode(), p.stdout.decode().translate({0x2068: None, 0x2069: None})
        return p.returncode

    def meet(self, *names):
        text = "".join("%s: /language\n%s: %s\n" % (n, n, HE["language.name"]) for n in names)
        assert self.run("chat", text=text) == 0

    def knows(self, *names):
        """Whom of these it remembers."""
        assert self.run("chat", text="".join("%s: /profile\n" % n for n in names)) == 0, self.said
        line = HE["profile.language"].format(language=HE["language.name"])
        return " ".join(n for n in names if re.search(
            r"^%s< .*\n(?:  .*\n)*?  %s" % (n, line), self.out, re.M))

    def lose(self):
        """The database is gone, with all that SQLite keeps beside it; the list of erasures lies where it lay."""
        for name in glob.glob(self.database + "*"):
            if not name.endswith(".erased"):
                os.unlink(name)

    def backup(self, name="backup"):
        assert self.run("backup", self.path(name)) == 0, self.said
        return self.path(name)

    def refuses(self, backup, *words):
        """One clear line, and nothing is left behind."""
        code = self.run("restore", backup)
        lines = self.said.splitlines()
        assert code in (1, 78), code
        assert len(lines) == 1 and lines[0].startswith("alumhub-bot: "), self.said
        assert all(w in lines[0] for w in words), self.said
        left = [n for n in os.listdir(self.folder) if "restoring" in n or n.endswith(".part")]
        assert not left, left


def backup_comes_back_whole():
    with Place() as p:
        p.meet("noor", "dana")
        file = p.backup()
        with open(file, "rb") as f:
            content = f.read()
        assert PLAIN not in content and os.stat(file).st_mode & 0o777 == 0o600
        plain = sealed.unseal(KEY, content)
        assert plain.startswith(PLAIN)
        p.meet("later")
        p.lose()
        expect(p.run("restore", file), 0)
        assert re.search(r"the state of \d{4}-\d\d-\d\d \d\d:\d\d UTC is back", p.out), p.out
        expect(p.knows("noor", "dana", "later"), "noor dana")


def backup_restore_erases_again():
    with Place() as p:
        p.meet("noor", "dana", "sami")
        p.run("erase", text="local:sami\n")
        p.meet("sami")  # came back before the backup: not to be erased again
        file = p.backup()
        p.run("chat", text="noor: /forgetme\nnoor: 1\n")
        p.meet("mira")
        p.run("erase", text="local:mira\n")  # unknown to the backup
        p.lose()
        expect(p.run("restore", file), 0)
        assert "1 person who was erased since is erased again" in p.out, p.out
        expect(p.knows("noor", "dana", "sami"), "dana sami")
        assert not glob.glob(p.database + ".before*") and not glob.glob(p.database + ".restoring*")
        # And a second time, from the same backup: the list is still whole.
        p.run("erase", text="local:dana\n")
        p.lose()
        expect(p.run("restore", file), 0)
        expect(p.knows("noor", "dana", "sami"), "sami")
        p.lose()
        os.unlink(p.database + ".erased")
        expect(p.run("restore", file), 0)
        assert "there is no %s.erased" % p.database in p.out, p.out


def backup_restore_sends_nothing_twice():
    with Place() as p:
        p.meet("noor")
        db = sqlite3.connect(p.database)
        db.execute("INSERT INTO delivery(id, network, account, chat, op, class, rank, state, born, due, expires)"
                   " SELECT 900 + s, 1, 0, 7, 0, 6, 2, s, 0, 0, 9999999999 FROM (SELECT 0 AS s UNION SELECT 1"
                   " UNION SELECT 6)")
        db.commit()
        db.close()
        file = p.backup()
        p.lose()
        expect(p.run("restore", file), 0)
        assert "3 messages that waited" in p.out, p.out
        db = sqlite3.connect(p.database)
        expect(db.execute("SELECT count(*) FROM delivery WHERE state IN (0, 1, 6)").fetchone()[0], 0)
        expect(db.execute("SELECT count(*) FROM delivery WHERE id >= 900 AND state = 5").fetchone()[0], 3)
        db.close()


def backup_restore_into_a_newer_program():
    """As an older version would have made it: one step of the schema back."""
    with Place() as p:
        p.meet("noor")
        p.run("chat", text="dana: /forgetme\ndana: 1\n")
        file = p.backup()
        p.lose()
        old = p.path("old.db")
        with open(old, "wb") as f:
            f.write(sealed.unseal(KEY, open(file, "rb").read()))
        db = sqlite3.connect(old, isolation_level=None)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("ALTER TABLE account DROP COLUMN late")
        db.execute("UPDATE schema_version SET version = version - 1 WHERE schema = 'people'")
        db.close()
        with open(file, "wb") as f:
            f.write(sealed.seal(KEY, open(old, "rb").read()))
        os.unlink(old)
        expect(p.run("restore", file), 0)
        assert p.knows("noor")
        db = sqlite3.connect(p.database)
        assert db.execute("SELECT version FROM schema_version WHERE schema = 'people'").fetchone()[0] >= 4
        db.execute("SELECT late FROM account").fetchall()
        db.close()
        assert not glob.glob(p.database + ".before*"), "a copy from before holds who was erased"


def backup_restore_refuses_a_newer_state():
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        p.lose()
        new = p.path("new.db")
        with open(new, "wb") as f:
            f.write(sealed.unseal(KEY, open(file, "rb").read()))
        db = sqlite3.connect(new, isolation_level=None)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("UPDATE schema_version SET version = version + 1 WHERE schema = 'people'")
        db.close()
        with open(p.path("newer"), "wb") as f:
            f.write(sealed.seal(KEY, open(new, "rb").read()))
        os.unlink(new)
        p.refuses(p.path("newer"), "newer program")
        assert not os.path.exists(p.database)


def backup_restore_refuses_what_is_damaged():
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        right = open(file, "rb").read()
        p.lose()
        bad = p.path("bad")
        for wrong in (right[:-1], right[:len(right) // 2], right[:20], b"", right + b"x", PLAIN + bytes(4096)):
            open(bad, "wb").write(wrong)
            p.refuses(bad, bad)
        for at in (3, 30, 100, len(right) // 2, len(right) - 1):
            open(bad, "wb").write(right[:at] + bytes([right[at] ^ 1]) + right[at + 1:])
            p.refuses(bad, bad)
        p.refuses(p.path("nothing"), "nothing")
        open(p.path("key"), "wb").write(bytes(32))
        p.refuses(file, file, "another key")
        open(p.path("key"), "wb").write(KEY)
        # Whole to the seal, but no whole database.
        plain = bytearray(sealed.unseal(KEY, right))
        plain[4096 * 2:4096 * 3] = bytes(4096)
        open(bad, "wb").write(sealed.seal(KEY, bytes(plain)))
        p.refuses(bad)
        assert not os.path.exists(p.database)
        expect(p.run("restore", file), 0)
        assert p.knows("noor")


def backup_restore_refuses_a_state_in_use():
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        p.refuses(file, p.database, "expected no state there")
        chat = subprocess.Popen([BOT, "--config", p.ini, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        chat.stdin.write(b"/help\n")
        chat.stdin.flush()
        chat.stdout.readline()
        for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
            os.rename(p.path(name), p.path("moved-" + name))  # the lock is still held
        p.refuses(file, p.database, "another process")
        for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
            os.rename(p.path("moved-" + name), p.path(name))
        chat.communicate()
        assert p.knows("noor")


def backup_restore_refuses_a_wal_left_behind():
    """After a kill there is a WAL, and SQLite would play it into whatever gets the state's name."""
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        p.meet("dana")
        chat = subprocess.Popen([BOT, "--config", p.ini, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        chat.stdin.write(b"/help\n")
        chat.stdin.flush()
        chat.stdout.readline()
        chat.kill()
        chat.communicate()
        assert os.path.getsize(p.database + "-wal")
        os.rename(p.database, p.path("moved"))
        p.refuses(file, p.database + "-wal", "expected no state there")
        assert not os.path.exists(p.database)
        os.unlink(p.database + "-wal")
        expect(p.run("restore", file), 0)
        expect(p.knows("noor", "dana"), "noor")


def backup_by_root_leaves_all_to_the_owner():
    """At a terminal root works on the service's state: what it makes there is the service's."""
    if os.geteuid():
        print("# skipped: it has to be root")
        return
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        p.lose()
        os.mkdir(p.path("state"))
        os.chown(p.path("state"), 65534, 65534)
        p.ini, p.database = p.path("state.ini"), p.path("state/bot.db")
        with open(p.ini, "w") as f:
            f.write("[bot]\ndatabase = state/bot.db\nkey_file = state/key\n")
        shutil.copy(p.path("key"), p.path("state/key"))
        os.chown(p.path("state/key"), 65534, 65534)
        expect(p.run("restore", file), 0)
        expect(p.run("erase", text="local:noor\n"), 0)
        expect(p.run("backup", p.path("state/backups/")), 0)
        old = sqlite3.connect(p.database, isolation_level=None)
        old.execute("ALTER TABLE account DROP COLUMN late")
        old.execute("UPDATE schema_version SET version = version - 1 WHERE schema = 'people'")
        old.close()
        expect(p.run("status"), 0)
        found = {os.path.join(at, n): os.lstat(os.path.join(at, n)).st_uid
                 for at, folders, names in os.walk(p.path("state")) for n in folders + names}
        assert len(found) == 7, found
        assert set(found.values()) == {65534}, found
        os.unlink(p.path("state/key"))
        for name in glob.glob(p.database + "*"):
            os.unlink(name)
        expect(p.run("invite", "--role", "admin"), 0)  # all anew, the key too
        expect({os.stat(p.path("state/" + n)).st_uid for n in os.listdir(p.path("state"))}, {65534})


def backup_goes_where_the_service_may_not_write():
    """Made below the state and carried on by whoever asked: /tmp of a service is not ours."""
    with World() as (s, b), tempfile.TemporaryDirectory() as other:
        for who in range(100, 105):
            s.say(who, "/help")
        assert s.wait(lambda: all(s.ledger(who) for who in range(100, 105)))
        file = os.path.join(other, "backup")
        for to, found in ((file, file), (other + "/all/", other + "/all/alumhub-*.sealed")):
            done = b.command("backup", to)
            assert done.returncode == 0 and "sealed and read back" in done.stdout, done.stdout
            expect(len(glob.glob(found)), 1)
            assert done.stdout.startswith(glob.glob(found)[0] + ": "), done.stdout
            assert sealed.unseal(KEY, open(glob.glob(found)[0], "rb").read()).startswith(PLAIN)
        done = b.command("backup", other + "/nowhere/backup")
        assert done.returncode == 1 and "nowhere" in done.stdout and "cannot be written" in done.stdout, done.stdout
        expect(glob.glob(b.path("*carry*")), [])


def backup_ends_well_after_a_reload():
    """The thread that makes it holds nothing of a configuration that a reload frees."""
    with World() as (s, b):
        b.stop()
        db = sqlite3.connect(b.path("bot.db"))  # large, so that it takes a while
        db.execute("CREATE TABLE large(content BLOB) STRICT")
        db.execute("INSERT INTO large VALUES(zeroblob(60000000))")
        db.commit()
        db.close()
        b.start()
        assert b.ready()
        for _ in range(2):
            b.process.send_signal(signal.SIGHUP)
            assert b.ready()
        asked = subprocess.Popen([BOT, "--config", b.path("bot.ini"), "backup", os.path.abspath(b.path("backup"))],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + 20
        while not os.path.exists(b.path("backup.part")) and time.monotonic() < end:
            time.sleep(0.001)
        b.process.send_signal(signal.SIGHUP)
        assert b.ready()  # a stop may overtake a reload that nobody waits for
        assert asked.poll() is None, "the backup ended before the reload: " + asked.communicate()[0]
        status, seconds = b.stop()
        asked.communicate()
        assert status == 0 and seconds < 5, (status, seconds, b.said()[-2000:])
        b.start()
        assert b.ready()


def backup_restore_refuses_what_is_too_old():
    """What is older than the retention knows people whom the list of erasures has forgotten."""
    with Place() as p:
        p.meet("noor")
        file = p.backup()
        plain = p.path("old.db")
        with open(plain, "wb") as f:
            f.write(sealed.unseal(KEY, open(file, "rb").read()))
        db = sqlite3.connect(plain, isolation_level=None)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("UPDATE meta SET content = ? WHERE name = 'backup'", (str(int(time.time()) - 31 * 86400),))
        db.close()
        with open(file, "wb") as f:
            f.write(sealed.seal(KEY, open(plain, "rb").read()))
        os.unlink(plain)
        p.lose()
        p.refuses(file, "[retention] backup = 30 days")
        p.configure("[retention]\nbackup = 40\n")
        expect(p.run("restore", file), 0)


def backup_folder_expires():
    with Place() as p:
        p.meet("noor")
        folder = p.path("backups")
        expect(p.run("backup", folder + "/"), 0)  # is made
        os.unlink(os.path.join(folder, os.listdir(folder)[0]))
        for days in range(1, 41):
            name = os.path.join(folder, "alumhub-202%03dT000000Z.sealed" % (600 - days))
            open(name, "w").close()
            os.utime(name, (0, time.time() - days * 86400))
        open(os.path.join(folder, "somebody's own"), "w").close()
        expect(p.run("backup", folder), 0)
        left = sorted(os.listdir(folder))
        expect(len(left), 1 + 1 + 29)  # it, theirs, and those of the last 30 days but the 30th
        p.configure("[ops]\nbackups = 3\n")
        time.sleep(1.1)
        expect(p.run("backup", folder), 0)
        left = sorted(os.listdir(folder))
        expect(len(left), 3 + 1)
        assert "removed" in p.out and "somebody's own" in left


class Watch(threading.Thread):
    """Looks again and again for a file that begins like a plain database."""

    def __init__(self, folder, allowed):
        super().__init__(daemon=True)
        self.folder, self.allowed, self.found, self.looks, self.over = folder, allowed, set(), 0, False

    def run(self):
        while not self.over:
            self.looks += 1
            for name in os.listdir(self.folder):
                if name in self.allowed:
                    continue
                try:
                    with open(os.path.join(self.folder, name), "rb") as f:
                        if PLAIN in f.read(65536):
                            self.found.add(name)
                except OSError:
                    pass


def backup_is_made_while_people_talk():
    with World() as (s, b):
        for who in range(100, 130):
            s.say(who, "/help")
        assert s.wait(lambda: all(s.ledger(who) for who in range(100, 130)))
        watch = Watch(b.folder, {"bot.db", "bot.db-wal", "notify", "control"})
        watch.start()
        for n in range(8):
            for who in range(200 + 10 * n, 210 + 10 * n):
                s.say(who, "/help")
            done = b.command("backup", os.path.abspath(b.path("backup%d" % n)))
            assert done.returncode == 0 and "sealed and read back" in done.stdout, done.stdout
        watch.over = True
        assert s.wait(lambda: all(s.ledger(who) for who in range(200, 280)), 20), "somebody was not answered"
        assert not watch.found and watch.looks > 5, (watch.found, watch.looks)
        status, _ = b.stop()
        expect(status, 0)
        counts = []
        for n in range(8):
            for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
                if os.path.exists(b.path(name)):
                    os.unlink(b.path(name))
            done = b.command("restore", os.path.abspath(b.path("backup%d" % n)))
            expect(done.returncode, 0)
            db = sqlite3.connect(b.path("bot.db"))
            expect(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            counts.append(db.execute("SELECT count(*) FROM person").fetchone()[0])
            db.close()
        print("# %d looks; people in the backups %r" % (watch.looks, counts))
        assert counts == sorted(counts) and counts[0] >= 30
        b.start()
        assert b.ready(), b.said()[-800:]


def backup_unit_is_accepted_and_hardened():
    if not shutil.which("systemd-analyze"):
        print("# skipped: systemd-analyze is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        for end in ("service", "timer"):
            with open("systemd/alumhub-bot-backup." + end) as f, \
                    open(os.path.join(folder, "alumhub-bot-backup." + end), "w") as out:
                out.write(f.read().replace("ExecStart=/usr/bin/alumhub-bot", "ExecStart=/usr/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", out.name], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            assert done.returncode == 0 and not done.stdout.strip(), done.stdout
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "systemd/alumhub-bot-backup.service"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    level = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level and float(level[1]) <= 0.2, done.stdout[-300:]
    print("# exposure %s" % level[1])


def main():
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("backup_") and callable(f) and only in name]
    if not os.path.exists(BOT):
        print("ok 1 - backup # skip %s is not built" % BOT)
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
