#!/usr/bin/python3
"""The bot's encryption against somebody else's: matrix-nio with python3-olm, bytes both ways."""
import json
import os
import sys

ONLY = os.environ.get("ONLY", "")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_keys import BOT, GOOD, NOBODY, NOOR, READY, ROOM, Bot, Server  # noqa: E402
from matrix_nio_peer import MISSING, Api, Peer  # noqa: E402

if MISSING:
    print("ok 1 - matrix_nio # skip " + MISSING)
    sys.exit(0)
import olm  # noqa: E402


def pair(**how):
    server = Server()
    bot = Bot(server)
    peer = Peer(server, **how)
    peer.query()
    bot.sync()
    return server, bot, peer


def matrix_nio_believes_our_device():
    _, bot, peer = pair()
    device = peer.query()
    return device is not None and bot.sync()["signed"] and bot.close() == 0


def matrix_nio_reads_what_we_say():
    server, bot, peer = pair()
    for n, text in enumerate(("first", "\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645 \U0001f54a", "third")):
        answer = bot.say("t%d" % n, text)
        peer.sync()
        if answer["how"] != READY or peer.read(json.loads(answer["sealed"]), "$b%d" % n).body != text:
            return False
    return bot.close() == 0


def matrix_nio_is_read_by_us():
    server, bot, peer = pair()
    peer.share()
    bot.sync()
    for n, text in enumerate(("first", "\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645 \U0001f54a", "third")):
        read = bot.read(peer.say(text, "$n%d" % n))
        if read["how"] != GOOD or read["event"]["content"]["body"] != text:
            return False
    return read["device"] == "NIODEV" and bot.close() == 0


def matrix_nio_both_ways_on_one_olm_session():
    server, bot, peer = pair()
    peer.share()
    bot.sync()
    if bot.read(peer.say("hello", "$1"))["how"] != GOOD:
        return False
    claimed = len(server.pools[NOOR, "NIODEV"])
    answer = bot.say("a", "hello to you")
    peer.sync()
    good = peer.read(json.loads(answer["sealed"])).body == "hello to you"
    return good and len(server.pools[NOOR, "NIODEV"]) == claimed and bot.close() == 0


def matrix_nio_on_the_fallback_key():
    server, bot, peer = pair()
    server.pools[BOT, "BOTDEV"].clear()
    peer.share()
    bot.sync()
    return bot.read(peer.say("late", "$1"))["how"] == GOOD and bot.close() == 0


def matrix_nio_without_identity_gets_no_key():
    server, bot, peer = pair(cross_signed=False)
    answer = bot.say("t", "secret")
    bot.run()
    kinds = {e["type"] for e in server.boxes.get((NOOR, "NIODEV"), [])}
    peer.share()
    bot.sync()
    return answer["how"] == NOBODY and kinds == {"m.room_key.withheld"} and \
        bot.read(peer.say("!role admin", "$1")).get("how") != GOOD and bot.close() == 0


def matrix_olm_verifies_our_signatures():
    """Every signature that we publish, by libolm itself over nio's canonical JSON."""
    server, bot, _ = pair()
    device = server.devices[BOT]["BOTDEV"]
    identity = server.identity[BOT]
    ed = device["keys"]["ed25519:BOTDEV"]
    master, own = (next(iter(identity[k]["keys"].values())) for k in ("master_key", "self_signing_key"))
    things = [(device, "BOTDEV", ed), (device, own, own), (identity["self_signing_key"], master, master),
              (identity["user_signing_key"], master, master), (identity["master_key"], "BOTDEV", ed)]
    things += [(key, "BOTDEV", ed) for key in server.pools[BOT, "BOTDEV"].values()]
    things += [(key, "BOTDEV", ed) for key in server.fallback[BOT, "BOTDEV"].values()]
    for body, key_id, key in things:
        plain = {k: v for k, v in body.items() if k not in ("signatures", "unsigned")}
        olm.ed25519_verify(key, Api.to_canonical_json(plain),
                           body["signatures"][BOT]["ed25519:" + key_id])
    print("# %d signatures" % len(things))
    return len(things) == 56 and bot.fingerprint.replace(" ", "") == master and bot.close() == 0


def matrix_canonical_as_nio_writes_it():
    values = [{"b": 1, "a": [True, None, "\u05d0\u0001\u007f\u2028\"\\/"], "\uffff": {}, "\U0001f600": -5}, {}]
    server, bot, peer = pair()
    peer.share()
    bot.sync()
    content = dict(values[0], msgtype="m.text", body="x")
    encrypted = peer.olm.group_encrypt(ROOM, {"type": "m.room.message", "content": content})
    read = bot.read({"type": "m.room.encrypted", "event_id": "$1", "sender": NOOR, "content": encrypted})
    return read["how"] == GOOD and read["event"]["content"] == content and bot.close() == 0


def main():
    failed = 0
    tests = [f for name, f in globals().items() if name.startswith("matrix_")]
    for n, test in enumerate(tests, 1):
        if ONLY and ONLY not in test.__name__:
            continue
        try:
            good = test()
        except Exception as error:  # noqa: BLE001: whatever the peer refuses is a failure
            print("# %s: %s" % (type(error).__name__, error))
            good = False
        failed += not good
        print("ok" if good else "not ok", n, "-", test.__name__, flush=True)
    return failed > 0


sys.exit(main())
