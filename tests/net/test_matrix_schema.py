#!/usr/bin/python3
"""Every request of the bot and every answer of the tests' homeserver against the schemas of the Matrix
specification; and the exchanges that were recorded from a real server, for what the bot reads of them."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_nio_peer  # noqa: E402
from matrix_bot import BOT, NOOR, PASSWORD, PROGRAM, World, run  # noqa: E402
from matrix_keys import ROOM  # noqa: E402

VALIDATE = "../shared/tools/matrix-validate"


def valid(traffic):
    p = subprocess.run([sys.executable, "-W", "ignore", VALIDATE, traffic,
                        "tests/net/matrix_keys_exceptions"], capture_output=True, text=True)
    for line in (p.stdout + p.stderr).splitlines():
        print("# " + line)
    return p.returncode == 0


def matrix_schema_of_key_requests():
    with tempfile.TemporaryDirectory() as folder:
        traffic = os.path.join(folder, "traffic.jsonl")
        env = dict(os.environ, MATRIX_TRAFFIC=traffic, ONLY="matrix_crypto")
        played = subprocess.run(["build/san/unit/matrix_crypto"], env=env, capture_output=True)
        assert played.returncode == 0 and valid(traffic)


def talk_in_clear(s):
    room = s.dm()
    s.say(NOOR, room, "!help")
    assert s.wait(lambda: s.ledger(room))
    s.leave(room, NOOR)
    assert s.wait(lambda: s.membership(room, BOT) == "leave")
    stranger = s.dm("@x:h", joined=False)
    s.leave(stranger, "@x:h")


def talk_encrypted(s):
    peer = matrix_nio_peer.Peer(s)
    peer.query()
    s.dm(NOOR, ROOM, encrypted=True)
    peer.query()
    peer.share()
    s.event(ROOM, NOOR, "m.room.encrypted", peer.say("!help", "")["content"])
    assert s.wait(lambda: s.ledger(ROOM)), "no answer"


def matrix_schema_of_the_whole_bot():
    with tempfile.TemporaryDirectory() as folder:
        traffic = os.path.join(folder, "traffic.jsonl")
        with World(token=None, password=PASSWORD) as (s, b):
            assert s.wait(lambda: BOT in s.identity)
            talk_in_clear(s)
            if not matrix_nio_peer.MISSING:
                talk_encrypted(s)
            time.sleep(0.5)
        s.record(traffic)
        assert valid(traffic), "not as the specification says"


def main():
    if not os.path.exists(VALIDATE) or not os.path.exists(PROGRAM):
        print("ok 1 - matrix_schema # skip the specification's schemas or the bot are not there")
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_schema") and callable(f)])


sys.exit(main())
