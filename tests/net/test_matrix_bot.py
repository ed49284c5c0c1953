#!/usr/bin/python3
"""The whole bot as a service on Matrix, without encryption unless a test says so."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_bot import BOT, NOOR, PASSWORD, PROGRAM, TOKEN, Bot, World, expect, run  # noqa: E402


def wait_for(server, room, count=1, seconds=10):
    assert server.wait(lambda: len(server.ledger(room)) >= count, seconds), \
        "%d answers, wanted %d" % (len(server.ledger(room)), count)
    return server.ledger(room)


def matrix_bot_answers_in_a_private_chat():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        said = wait_for(s, room)[0]
        assert said["msgtype"] in ("m.text", "m.notice") and len(said["body"]) > 20, said
        assert s.wait(lambda: room in s.receipts), "no receipt"
        assert s.wait(lambda: s.account_data.get("m.direct")), "no m.direct"
        expect(s.account_data["m.direct"][1], {NOOR: [room]})


def matrix_bot_takes_numbers_for_buttons():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "hello")
        first = wait_for(s, room)[0]["body"]
        assert "[1]" in first and "[2]" in first, first
        s.say(NOOR, room, "1")
        assert s.wait(lambda: len(s.ledger(room)) >= 2), "a number was not taken"


def main():
    if not os.path.exists(PROGRAM):
        print("ok 1 - matrix_bot # skip %s is not built" % PROGRAM)
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_") and callable(f)])


sys.exit(main())
