#!/usr/bin/python3
"""The whole bot in encrypted rooms with somebody else's encryption: matrix-nio, and Element's own,
which here excludes insecure devices."""
import json
import os
import re
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_element_peer  # noqa: E402
import matrix_nio_peer  # noqa: E402
from matrix_bot import BOT, NOOR, PASSWORD, PROGRAM, TOKEN, World, expect, run  # noqa: E402
from matrix_keys import ROOM  # noqa: E402

NEW = "m.room.encrypted"


class Nio:
    """One way to talk for both peers."""

    def __init__(self, server, device="NIODEV", **how):
        self.server, self.peer = server, matrix_nio_peer.Peer(server, device, **how)
        server.changed.append(NOOR)
        self.shared, self.heard = False, 0

    def say(self, text):
        if not self.shared:
            self.peer.query()
            self.peer.share()
            self.shared = True
        event = self.peer.say(text, "")
        return self.server.event(ROOM, NOOR, NEW, event["content"])

    def anew(self):
        """Its next word is under a new key, for the devices there are now."""
        self.peer.olm.outbound_group_sessions.pop(ROOM, None)
        self.shared = False

    def read_all(self):
        self.peer.query()
        self.peer.sync()
        out = []
        for n, content in enumerate(self.server.ledger(ROOM)):
            try:
                out.append(self.peer.read(content, "$b%d" % n).body)
            except Exception as why:  # noqa: BLE001: whatever the peer refuses is unread
                out.append(repr(why))
        return out

    def close(self):
        pass


class Element:
    def __init__(self, server, device="ELEMENT", **how):
        self.server, self.peer = server, matrix_element_peer.Element(server, device, **how)

    def say(self, text):
        self.peer.sync()
        event = self.peer.say(text, "")
        return self.server.event(ROOM, NOOR, NEW, event["content"])

    def read_all(self):
        self.peer.sync()
        out = []
        for n, content in enumerate(self.server.ledger(ROOM)):
            try:
                got = self.peer.read(json.dumps(content), "$b%d" % n)
                expect(got["shield"], matrix_element_peer.NO_SHIELD)
                out.append(got["event"]["content"]["body"])
            except RuntimeError as why:
                out.append(repr(why))
        return out

    def close(self):
        self.peer.close()


def heard(server, peer, count, seconds=15):
    assert server.wait(lambda: len(server.ledger(ROOM)) >= count, seconds), \
        "%d answers, wanted %d" % (len(server.ledger(ROOM)), count)
    said = peer.read_all()
    assert all(text and "Error" not in text for text in said), said
    return said


def signed(server):
    assert server.wait(lambda: BOT in server.identity, 15), "no identity"
    assert server.wait(lambda: len(server.devices.get(BOT, {}).get("BOTDEV", {}).get(
        "signatures", {}).get(BOT, {})) > 1, 15), "the device was not signed"


def talk(make):
    with World() as (s, b):
        signed(s)
        peer = make(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        said = heard(s, peer, 1)
        assert len(said[0]) > 20, said
        for n in range(3):
            peer.say("!events")
            heard(s, peer, 2 + n)
        assert all(c.get("algorithm") for c in s.ledger(ROOM)), "something in clear"
        status = b.command("status").stdout
        master = next(iter(s.identity[BOT]["master_key"]["keys"].values()))
        assert master[:4] + " " + master[4:8] in status, status
        peer.close()


def matrix_peers_nio_talks_with_the_bot():
    talk(Nio)


def matrix_peers_element_talks_with_the_bot():
    talk(Element)


def restarted(make):
    with World() as (s, b):
        signed(s)
        peer = make(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        for n in range(3):
            expect(b.stop()[0], 0)
            peer.say("!events")
            b.start()
            assert b.ready()
            heard(s, peer, 2 + n)
        b.kill()
        peer.say("!events")
        b.start()
        assert b.ready()
        heard(s, peer, 5)
        expect(len(s.ledger(ROOM)), 5)
        peer.close()


def matrix_peers_nio_restarted_in_the_middle():
    restarted(Nio)


def matrix_peers_element_restarted_in_the_middle():
    restarted(Element)


def matrix_peers_killed_between_any_two_requests():
    """The key exchange and the first answer, with an end at every request in turn, before the server
    acts on it and after: the talk goes on, nothing comes twice, no device is lost."""
    with World() as (s, b):
        signed(s)
        s.dm(NOOR, ROOM, encrypted=True)
        Nio(s).say("!help")
        assert s.wait(lambda: s.ledger(ROOM))
        time.sleep(0.3)
        length = s.count
    print("# %d requests" % length)
    step = 1 if os.environ.get("LONG") else 3
    for number in range(1, length + 1, step):
        for when in ("before", "after"):
            killed_at(number, when)


def killed_at(number, when):
    done = []

    def hook(count, method, path, moment):
        if count == number and moment == when and not done:
            done.append(path)
            b.process.kill()
            b.process.wait()
            b.start()
    with World(start=False) as (s, b):
        s.hook = hook
        b.start()
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1, 30)
        peer.say("!events")
        heard(s, peer, 2, 30)
        time.sleep(0.2)
        said = peer.read_all()
        assert len(said) == 2, "%d after %s %d %s" % (len(said), when, number, done)
        expect(sorted(s.devices[BOT]), ["BOTDEV"])
        assert s.wait(lambda: b.process.poll() is None), "not running"
        # Told to end before it listens to that, it would end in another way.
        assert not done or b.ready(), "not ready"


def matrix_peers_no_word_leaves_before_whoami():
    """Killed when the first answer is ready and was not tried."""
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        killed = []

        def hook(count, method, path, moment):
            if "/receipt/" in path and not killed:
                killed.append(path)
                b.process.kill()
                b.process.wait()
        s.hook = hook
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        assert s.wait(lambda: killed, 20), "nothing was heard"
        s.fault("/whoami", "502", 5)
        b.start()
        assert s.wait(lambda: not s.faults[0]["times"], 20), "not asked"
        heard(s, peer, 1, 60)
        assert all(c.get("algorithm") for c in s.ledger(ROOM)), "in clear"


def matrix_peers_nothing_leaves_before_whoami():
    """Killed with an answer or a file not yet sent; then the server takes its time to say who we are."""
    for part, word in (("/send/", "!events"), ("/media/v3/upload", "!mydata")):
        with World() as (s, b):
            signed(s)
            peer = Nio(s)
            s.dm(NOOR, ROOM, encrypted=True)
            peer.say("!help")
            heard(s, peer, 1)
            s.fault(part, "502", 1000)
            peer.say(word)
            assert s.wait(lambda: s.faults[0]["times"] < 1000, 20), "nothing was tried"
            b.kill()
            s.faults.clear()
            s.fault("/whoami", "502", 5)
            b.start()
            assert s.wait(lambda: not s.faults[0]["times"], 20), "not asked"
            assert all(c.get("algorithm") for c in s.ledger(ROOM)), "in clear"
            assert s.wait(lambda: len(s.ledger(ROOM)) >= 2, 60), "not sent after all"
            expect({kind for kind, _, _ in s.media.values()} - {"application/octet-stream"}, set())


def matrix_peers_old_state_makes_a_new_device():
    with World(password=PASSWORD) as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        expect(b.stop()[0], 0)
        b.keep_state()
        b.start()
        assert b.ready()
        for n in range(3):
            peer.say("!events")
            heard(s, peer, 2 + n)
        b.stop()
        b.restore_state()
        b.start()
        assert s.wait(lambda: "NEWDEV1" in s.devices[BOT] and "BOTDEV" not in s.devices[BOT], 20), \
            s.devices[BOT].keys()
        assert s.wait(lambda: len(s.devices[BOT]["NEWDEV1"]["signatures"][BOT]) > 1, 15)
        assert s.wait(lambda: told(peer), 15), "nobody is told of the new device"
        before = len(s.ledger(ROOM))
        peer.anew()
        peer.say("!help")
        assert s.wait(lambda: len(s.ledger(ROOM)) > before, 15), "mute after a new device"
        assert len(peer.read_all()[-1]) > 20, peer.read_all()
        expect(s.logins, 1)
        expect(told(peer), 1)
        expect(b.stop()[0], 0)
        b.start()
        assert b.ready()
        time.sleep(0.5)
        expect((s.logins, told(peer)), (1, 1))


def told(peer, words="new keys"):
    """How often it was said that the keys are new."""
    return len([text for text in peer.read_all() if words in text])


def matrix_peers_what_an_old_state_cannot_read_is_said():
    """A word under keys that only the lost device had: its writer is told, and then understood."""
    with World(password=PASSWORD) as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        expect(b.stop()[0], 0)
        b.keep_state()
        b.start()
        assert b.ready()
        for n in range(3):
            peer.say("!events")
            heard(s, peer, 1 + n)
        b.stop()
        b.restore_state()
        b.start()
        assert s.wait(lambda: "NEWDEV1" in s.devices[BOT] and len(
            s.devices[BOT]["NEWDEV1"]["signatures"][BOT]) > 1, 20), s.devices[BOT].keys()
        before = len(s.ledger(ROOM))
        peer.say("!help")
        assert s.wait(lambda: len(s.ledger(ROOM)) > before, 50), "not a word"
        peer.peer.query()
        peer.peer.sync()
        said = peer.read_all()[-1]
        assert "cannot be read" in said, said
        count = len(s.ledger(ROOM))
        peer.anew()
        peer.say("!podcast")
        assert s.wait(lambda: len(s.ledger(ROOM)) > count, 10)


def matrix_peers_old_state_without_password_ends_with_77():
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        expect(b.stop()[0], 0)
        b.keep_state()
        b.start()
        assert b.ready()
        peer.say("!events")
        heard(s, peer, 2)
        b.stop()
        b.restore_state()
        b.start()
        expect(b.process.wait(20), 77)
        assert "password_file" in b.said(), b.said()[-2000:]
        expect(told(peer), 0)
        b.configure(TOKEN, PASSWORD)
        b.start()
        assert b.ready()
        assert s.wait(lambda: told(peer) == 1, 20), "nobody is told of the new device"


def restored(bot):
    """The folder is lost; the backup comes back into an empty one."""
    for name in os.listdir(bot.folder):
        if name.startswith("bot.db"):
            os.unlink(bot.path(name))
    p = bot.command("restore", bot.path("backup"))
    expect(p.returncode, 0)


def matrix_peers_a_restored_backup_makes_a_new_device():
    """Without a password 77 and what to do; with it a new device of the same identity, everybody is told once in
    their language, and the talk goes on."""
    new = "מפתחות חדשים"
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!language")
        peer.say(re.search(r"^\[#?(\d+)\] .*עברית", heard(s, peer, 1)[-1], re.M).group(1))
        heard(s, peer, 2)
        master = s.identity[BOT]["master_key"]
        expect(b.command("backup", b.path("backup")).returncode, 0)
        for n in range(3):
            peer.say("!events")
            heard(s, peer, 3 + n)
        b.kill()
        restored(b)
        b.start()
        expect(b.process.wait(30), 77)
        assert "password_file" in b.said(), b.said()[-2000:]
        expect(told(peer, new), 0)
        b.configure(TOKEN, PASSWORD)
        b.start()
        assert b.ready()
        assert s.wait(lambda: "NEWDEV1" in s.devices[BOT] and "BOTDEV" not in s.devices[BOT], 20), \
            s.devices[BOT].keys()
        assert s.wait(lambda: len(s.devices[BOT]["NEWDEV1"]["signatures"].get(BOT, {})) > 1, 20), "not signed"
        expect(s.identity[BOT]["master_key"], master)
        assert s.wait(lambda: told(peer, new) == 1, 20), "nobody is told"
        before = len(s.ledger(ROOM))
        peer.anew()
        peer.say("!help")
        assert s.wait(lambda: len(s.ledger(ROOM)) > before, 15), "mute after a restore"
        status = b.command("status").stdout
        assert "new device" in status, status
        expect(b.stop()[0], 0)
        b.start()
        assert b.ready()
        peer.say("!events")
        assert s.wait(lambda: len(s.ledger(ROOM)) > before + 1, 15), "mute after a restart"
        expect((s.logins, told(peer, new)), (1, 1))


def matrix_peers_a_second_device_reads_on():
    with World() as (s, b):
        signed(s)
        first = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        first.say("!help")
        heard(s, first, 1)
        second = Nio(s, "NIODEV2", beside=first.peer)
        second.say("!events")
        assert s.wait(lambda: len(s.ledger(ROOM)) == 2, 10), "no answer to the second device"
        for peer in (first, second):
            last = peer.read_all()[-1]
            assert "Error" not in last, last


def matrix_peers_logs_out_and_in():
    with World() as (s, b):
        signed(s)
        first = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        first.say("!help")
        heard(s, first, 1)
        with s.lock:
            s.delete_device(NOOR, "NIODEV")
        second = Nio(s, "NIODEV2", beside=first.peer)
        second.say("!events")
        assert s.wait(lambda: len(s.ledger(ROOM)) == 2, 10), "no answer after a new login"
        assert "Error" not in second.read_all()[-1]
        assert "Error" in first.read_all()[-1], "the old device reads on"


def matrix_peers_a_strangers_device_is_never_given_a_key():
    """The server adds a device that its owner has not signed, and somebody leaves."""
    with World() as (s, b):
        signed(s)
        first = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        first.say("!help")
        heard(s, first, 1)
        own = s.identity[NOOR]
        spy = Nio(s, "SPY", cross_signed=False)
        expect(s.identity[NOOR], own)
        first.say("!events")
        heard(s, first, 2)
        kinds = {e["type"] for e in s.boxes.get((NOOR, "SPY"), [])}
        expect(kinds - {"m.room_key.withheld"}, set())
        assert "Error" in spy.read_all()[-1]
        s.leave(ROOM, NOOR)
        time.sleep(0.5)
        expect(len(s.ledger(ROOM)), 2)


def matrix_peers_one_time_keys_run_out():
    with World() as (s, b):
        signed(s)
        s.pools[BOT, "BOTDEV"].clear()
        s.fault("/keys/upload", "500", 100)
        for n in range(2):
            peer = Nio(s, "NIODEV%d" % n)
            if not n:
                s.dm(NOOR, ROOM, encrypted=True)
                peer.say("!help")
                heard(s, peer, 1)
        s.faults.clear()
        assert s.wait(lambda: len(s.pools[BOT, "BOTDEV"]) >= 40, 30), "not topped up"


def held_back(s):
    """A peer whose key does not come, and what is held back."""
    peer = Nio(s)
    s.dm(NOOR, ROOM, encrypted=True)
    peer.peer.query()
    peer.peer.share()
    peer.shared = True
    with s.lock:
        held = s.boxes.pop((BOT, "BOTDEV"))
        s.marks.pop(("box", BOT, "BOTDEV"), None)
    return peer, held


def said_before_its_key(s):
    """A word whose key did not come yet: nothing is answered. The peer, and what is held back."""
    peer, held = held_back(s)
    peer.say("!help")
    time.sleep(1)
    expect(s.ledger(ROOM), [])
    return peer, held


def matrix_peers_a_late_key_is_read_late():
    with World() as (s, b):
        signed(s)
        peer, held = said_before_its_key(s)
        with s.lock:
            s.boxes.setdefault((BOT, "BOTDEV"), []).extend(held)
            s.bump()
        heard(s, peer, 1)


def matrix_peers_a_late_word_survives_a_refused_commit():
    """The commit that takes what became readable is refused: the service ends, and the next start reads it
    from its rows; one answer."""
    with World() as (s, b):
        signed(s)
        b.stop()
        b.start(restore_signals=False)
        assert b.ready()
        peer, held = said_before_its_key(s)
        size = os.path.getsize(b.path("bot.db-wal"))
        resource.prlimit(b.process.pid, resource.RLIMIT_FSIZE, (size, size))
        with s.lock:
            s.boxes.setdefault((BOT, "BOTDEV"), []).extend(held)
            s.bump()
        assert b.process.wait(30) != 0, "it goes on without its disk"
        expect(s.ledger(ROOM), [])
        b.start()
        assert b.ready()
        heard(s, peer, 1)
        time.sleep(0.5)
        expect(len(s.ledger(ROOM)), 1)


def matrix_peers_unreadable_is_said_once():
    with World() as (s, b):
        signed(s)
        peer, _ = held_back(s)
        for n in range(3):
            peer.say("!help")
        said = heard(s, peer, 1, 60)
        time.sleep(2)
        expect(len(s.ledger(ROOM)), 1)
        assert "cannot be read" in said[0], said
        peer.anew()
        peer.say("!events")
        heard(s, peer, 2)


def matrix_peers_nobody_else_speaks_in_clear():
    """A server's own words in an encrypted room are nobody's."""
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        s.say(NOOR, ROOM, "!help")
        time.sleep(1)
        expect(s.ledger(ROOM), [])
        peer.say("!help")
        heard(s, peer, 1)


def matrix_peers_encryption_is_for_ever():
    """The server forgets that a room is encrypted: nothing goes out in clear."""
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        with s.lock:
            del s.rooms[ROOM]["state"]["m.room.encryption", ""]
        b.stop()
        b.start()
        assert b.ready()
        peer.say("!events")
        heard(s, peer, 2)
        assert all(c.get("algorithm") for c in s.ledger(ROOM)), "in clear"


def matrix_peers_files_are_encrypted_too():
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!mydata")
        assert s.wait(lambda: s.media and s.ledger(ROOM), 10), "no file"
        time.sleep(0.3)
        peer.peer.query()
        peer.peer.sync()
        files = [e for e in (peer.peer.read(c, "$f%d" % n) for n, c in enumerate(s.ledger(ROOM)))
                 if "file" in e.source["content"]]
        assert files, "no encrypted file"
        content = files[0].source["content"]
        kind, data, name = s.media[content["file"]["url"].rsplit("/", 1)[1]]
        expect((kind, name), ("application/octet-stream", None))
        from nio.crypto.attachments import decrypt_attachment
        plain = decrypt_attachment(data, content["file"]["key"]["k"],
                                   content["file"]["hashes"]["sha256"], content["file"]["iv"])
        assert isinstance(json.loads(plain), dict)
        assert len(plain) > 16 and plain not in data and data[:16] != plain[:16]


def matrix_peers_a_verification_is_declined():
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        content = peer.peer.olm.group_encrypt(ROOM, {"type": "m.room.message", "content": {
            "msgtype": "m.key.verification.request", "body": "verify", "to": BOT,
            "from_device": "NIODEV", "methods": ["m.sas.v1"]}})
        s.event(ROOM, NOOR, NEW, content)
        assert s.wait(lambda: len(s.ledger(ROOM)) == 2, 10), "no cancel"
        peer.peer.sync()
        got = peer.peer.read(s.ledger(ROOM)[1], "$v")
        expect(got.source["type"], "m.key.verification.cancel")


def main():
    if not os.path.exists(PROGRAM):
        print("ok 1 - matrix_peers # skip %s is not built" % PROGRAM)
        return 0
    tests = [f for name, f in globals().items() if name.startswith("matrix_") and callable(f)]
    missing = matrix_element_peer.install()
    if missing or matrix_nio_peer.MISSING:
        print("# skipped: %s" % (missing or matrix_nio_peer.MISSING))
        tests = [t for t in tests if ("element" if missing else "nio") not in t.__name__]
    return run(tests)


sys.exit(main())
