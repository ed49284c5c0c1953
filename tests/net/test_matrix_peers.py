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
