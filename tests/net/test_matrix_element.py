#!/usr/bin/python3
"""The bot's encryption against Element's own (npm's matrix-sdk-crypto-wasm), which here excludes
insecure devices: it gives keys only to devices that their owner has signed, and reads only theirs."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_element_peer import NO_SHIELD, Element, install  # noqa: E402
from matrix_keys import BOT, GOOD, NOBODY, NOOR, READY, ROOM, Bot, Server  # noqa: E402

ONLY = os.environ.get("ONLY", "")
def pair(**how):
    server = Server()
    bot = Bot(server)
    element = Element(server, **how)
    bot.sync()
    return server, bot, element


def close(bot, element):
    element.close()
    return bot.close() == 0


def matrix_element_both_ways_excluding_insecure_devices():
    server, bot, element = pair()
    for n in range(3):
        text = "\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645 %d" % n
        read = bot.read(element.say(text, "$e%d" % n)) if n else None
        if read is None:
            event = element.say(text, "$e0")
            bot.sync()
            read = bot.read(event)
        if read["how"] != GOOD or read["event"]["content"]["body"] != text:
            return False
        answer = bot.say("t%d" % n, text)
        element.sync()
        heard = element.read(answer["sealed"], "$b%d" % n)
        if heard["event"]["content"]["body"] != text or heard["shield"] != NO_SHIELD:
            print("# %r" % heard)
            return False
    return close(bot, element)


def matrix_element_is_written_to_first():
    server, bot, element = pair()
    answer = bot.say("t", "first word is ours")
    element.sync()
    heard = element.read(answer["sealed"], "$b")
    event = element.say("yes", "$e")
    bot.sync()
    return answer["how"] == READY and heard["event"]["content"]["body"] == "first word is ours" and \
        bot.read(event)["how"] == GOOD and close(bot, element)


def matrix_element_on_the_fallback_key():
    server, bot, element = pair()
    server.pools[BOT, "BOTDEV"].clear()
    event = element.say("late", "$e")
    bot.sync()
    return bot.read(event)["how"] == GOOD and close(bot, element)


def matrix_element_unsigned_gets_no_key_and_is_told():
    server, bot, element = pair(signed=False)
    answer = bot.say("t", "secret")
    bot.run()
    box = server.boxes.get((NOOR, "ELEMENT"), [])
    return answer["how"] == NOBODY and [e["content"]["code"] for e in box] == ["m.unverified"] and \
        element.sync() == ["PlainTextToDeviceEvent"] and close(bot, element)


def matrix_element_rotates_and_is_followed():
    server, bot, element = pair()
    sessions = set()
    for n in range(105):
        event = element.say("m", "$e%d" % n)
        sessions.add(event["content"]["session_id"])
        bot.sync()
        if bot.read(event)["how"] != GOOD:
            return False
    return len(sessions) == 2 and close(bot, element)


def matrix_element_mends_a_wedged_session():
    """The bot's half of an Olm session is lost: it says so with a new one, and the talk goes on."""
    server, bot, element = pair()
    event = element.say("one", "$1")
    bot.sync()
    good = bot.read(event)["how"] == GOOD
    answer = bot.say("a", "two")
    element.sync()
    element.read(answer["sealed"], "$2")
    event = element.say("three", "$3")
    bot.sync()
    good = good and bot.read(event)["how"] == GOOD
    device = server.devices[BOT]["BOTDEV"]["keys"]["curve25519:BOTDEV"]
    sender = server.devices[NOOR]["ELEMENT"]["keys"]["curve25519:ELEMENT"]
    server.boxes[BOT, "BOTDEV"] = [{"type": "m.room.encrypted", "sender": NOOR, "content": {
        "algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": sender,
        "ciphertext": {device: {"type": 1, "body": "AwogAAAAAAAAAAAAAAAAAAAAAAAA"}}}}]
    state = bot.sync()
    got = element.sync()
    event = element.say("four", "$4")
    bot.sync()
    return good and state["olm_broken"] == 1 and got == ["DecryptedToDeviceEvent"] and \
        bot.read(event)["how"] == GOOD and close(bot, element)


def matrix_element_comes_back_after_it_was_forgotten():
    """It still has its sessions with the bot, which has none any more; whoever is greeted is read from the
    first word on, whoever is not is read from the second chat on."""
    for greeted in (True, False):
        server, bot, element = pair()
        event = element.say("one", "$1")
        bot.sync()
        good = bot.read(event)["how"] == GOOD and bot.say("a", "two")["how"] == READY
        element.sync()
        bot.ask(do="forget", user=NOOR, room=ROOM)
        element.ask(do="room", id="!again:h")
        if greeted:
            bot.ask(do="greet", user=NOOR)
            bot.run()
            element.sync()
        event = dict(element.say("three", "$3"), room_id="!again:h")
        bot.sync()
        read = bot.ask(do="read", room="!again:h", event=event)
        bot.run()
        read = read if read["how"] == GOOD else bot.ask(do="late")
        if not good or (read.get("how") == GOOD) != greeted:
            print("# greeted %r: %r" % (greeted, read))
            return False
        if not close(bot, element):
            return False
    return True


def main():
    failed = 0
    tests = [f for name, f in globals().items() if name.startswith("matrix_")]
    tests = [f for f in tests if ONLY in f.__name__]
    missing = install() if tests else None
    for n, test in enumerate(tests, 1):
        if missing:
            print("ok %d - %s # skip %s" % (n, test.__name__, missing))
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
