#!/usr/bin/python3
"""The whole bot in encrypted rooms with somebody else's encryption: matrix-nio, and Element's own,
which here excludes insecure devices."""
import json
import os
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


def matrix_peers_restarted_in_the_middle():
    with World() as (s, b):
        signed(s)
        peer = Nio(s)
        s.dm(NOOR, ROOM, encrypted=True)
        peer.say("!help")
        heard(s, peer, 1)
        for n in range(3):
            expect(b.stop()[0], 0)
            peer.say("!events")
            b.start()
            assert b.ready()
            heard(s, peer, 2 + n)
        expect(len(s.ledger(ROOM)), 4)


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
            b.process.kill()
            b.process.wait()
            done.append(path)
    with World(start=False) as (s, b):
        s.hook = hook
        b.start()
        s.wait(lambda: done or s.identity.get(BOT), 5)
        if b.process.poll() is not None:
            b.start()
        signed(s)
        peer = Nio(s)
        room = s.room(NOOR, ROOM, encrypted=True)
        s.invite(room, NOOR)
        s.wait(lambda: done or s.membership(room, BOT) == "join", 10)
        if b.process.poll() is not None:
            b.start()
        assert s.wait(lambda: s.membership(room, BOT) == "join", 15), "no join: %s" % done
        peer.say("!help")
        s.wait(lambda: (done and b.process.poll() is not None) or s.ledger(ROOM), 10)
        time.sleep(0.2)
        if b.process.poll() is not None:
            b.start()
        said = heard(s, peer, 1, 20)
        peer.say("!events")
        said = heard(s, peer, 2, 20)
        assert len(said) == 2, "%d after %s %d %s" % (len(said), when, number, done)
        expect(sorted(s.devices[BOT]), ["BOTDEV"])


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
        before = len(s.ledger(ROOM))
        time.sleep(1)
        peer.anew()
        peer.say("!help")
        assert s.wait(lambda: len(s.ledger(ROOM)) > before, 15), "mute after a new device"
        assert len(peer.read_all()[-1]) > 20, peer.read_all()
        expect(s.logins, 1)
        expect(b.stop()[0], 0)
        b.start()
        assert b.ready()
        expect(s.logins, 1)


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
