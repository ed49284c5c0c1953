#!/usr/bin/python3
"""Every request of the bot and every answer of the tests' homeserver against the schemas of the Matrix
specification; and the exchanges that were recorded from a real server, for what the bot reads of them."""
import json
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


def recorded():
    """What a real server answered the bot, as if it had been ours."""
    for name in "traffic.jsonl", "e2ee-traffic.jsonl":
        with open("../shared/data/matrix/" + name, encoding="utf-8") as f:
            for line in f:
                yield json.loads(line.replace("@bot:localhost", BOT))


def matrix_schema_recorded_exchanges_replay():
    """Every recorded answer to a request that the bot makes too, in place of the homeserver's own: the
    bot stays well and goes on answering."""
    kinds = (("/sync", "/sync"), ("/send/", "/send/"), ("/join", "/join"), ("/keys/upload", "/keys/upload"),
             ("/keys/query", "/keys/query"), ("/receipt/", "/receipt/"), ("/messages", "/messages"))
    count = 0
    with World() as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        assert s.wait(lambda: s.ledger(room))
        for exchange in recorded():
            part = [ours for theirs, ours in kinds if theirs in exchange["path"]]
            if not part or not isinstance(exchange["resp"], dict) or exchange["status"] == 401:
                continue
            count += 1
            s.fault(part[0], "as:%d:%s" % (exchange["status"], json.dumps(exchange["resp"])), 1)
            s.say(NOOR, room, "!events")
            s.wait(lambda: not s.faults[0]["times"], 0.5)
            # A refused position means a first sync, which acts on nothing that is older.
            time.sleep(1.5 if exchange["status"] == 400 and part[0] == "/sync" else 0.2)
            before = len(s.ledger(room))
            s.say(NOOR, room, "!events")
            assert s.wait(lambda: len(s.ledger(room)) > before, 15), \
                "mute after %r" % exchange["path"]
            s.faults.clear()
        assert "network.matrix" in b.command("status").stdout
    print("# %d recorded answers" % count)
    assert count > 20


def main():
    if not os.path.exists(VALIDATE) or not os.path.exists(PROGRAM):
        print("ok 1 - matrix_schema # skip the specification's schemas or the bot are not there")
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_schema") and callable(f)])


sys.exit(main())
