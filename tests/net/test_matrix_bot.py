#!/usr/bin/python3
"""The whole bot as a service on Matrix, without encryption unless a test says so."""
import base64
import os
import re
import resource
import shutil
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_bot import (BOT, NOOR, PASSWORD, PROGRAM, TOKEN, Homeserver, World,  # noqa: E402
                        expect, run)
from tls_relay import TlsRelay  # noqa: E402


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
        assert s.wait(lambda: s.account_data.get((BOT, "m.direct"))), "no m.direct"
        expect(s.account_data[BOT, "m.direct"][1], {NOOR: [room]})


def matrix_bot_tells_nothing_to_whom_it_does_not_trust():
    with World(start=False) as (s, b):
        relay = TlsRelay(tempfile.mkdtemp(prefix="matrix-tls-", dir="build"),
                         int(s.address.rpartition(":")[2]))
        b.configure(TOKEN, address="https://localhost:%d" % relay.port)
        b.start()
        end = time.monotonic() + 20
        while time.monotonic() < end and "certificate" not in b.command("status").stdout:
            time.sleep(0.2)
        said = b.command("status").stdout
        relay.close()
        shutil.rmtree(relay.folder)
        assert "certificate" in said, said
        assert not s.requests, s.requests


def matrix_bot_enters_every_private_chat():
    """Several at once: each one's entry in m.direct stays."""
    with World(encryption="off") as (s, b):
        people = ["@p%d:h" % n for n in range(6)]
        with s.lock:
            rooms = {who: [s.dm(who, joined=False)] for who in people}
        assert s.wait(lambda: s.account_data.get((BOT, "m.direct"), (0, 0))[1] == rooms), \
            s.account_data.get((BOT, "m.direct"))


def matrix_bot_takes_numbers_for_buttons():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "hello")
        first = wait_for(s, room)[0]["body"]
        assert "[1]" in first and "[2]" in first, first
        s.say(NOOR, room, "1")
        assert s.wait(lambda: len(s.ledger(room)) >= 2), "a number was not taken"


def matrix_bot_acts_on_nothing_old():
    with World(start=False, encryption="off") as (s, b):
        room = s.room(NOOR)
        s.member(room, BOT, "invite", NOOR)
        s.member(room, BOT, "join")
        for n in range(5):
            s.say(NOOR, room, "!help")
        b.start()
        assert b.ready()
        time.sleep(0.5)
        expect(s.ledger(room), [])
        s.say(NOOR, room, "!help")
        wait_for(s, room)


def matrix_bot_loses_nothing_while_it_is_down():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        b.kill()
        other = s.dm("@late:h", joined=False)
        s.say(NOOR, room, "!events")
        b.start()
        assert b.ready()
        wait_for(s, room, 2)
        assert s.wait(lambda: s.membership(other, BOT) == "join"), "an invitation was lost"


def matrix_bot_answers_what_is_old_with_one_word():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        b.kill()
        db = sqlite3.connect(b.path("bot.db"))
        db.execute("UPDATE inbox SET came = came - 20000")
        db.commit()
        db.close()
        for text in ("!events", "!help", "!events"):
            s.event(room, NOOR, "m.room.message", {"msgtype": "m.text", "body": text},
                    raw={"origin_server_ts": (int(time.time()) - 9000) * 1000})
        s.say(NOOR, room, "!partners")
        b.start()
        assert b.ready()
        said = wait_for(s, room, 3)
        time.sleep(0.5)
        expect(len(s.ledger(room)), 3)
        assert "while the bot was away" in said[1]["body"] and "[1]" in said[1]["body"], said[1]
        assert "away" not in said[2]["body"], said[2]


def matrix_bot_fills_a_gap():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        b.kill()
        for n in range(130):
            s.say(NOOR, room, "!help" if n % 10 == 0 else "!events")
        b.start()
        assert b.ready()
        wait_for(s, room, 1 + 130, 30)
        time.sleep(0.5)
        expect(len(s.ledger(room)), 1 + 130)


def matrix_bot_loses_no_gap_when_the_disk_refuses():
    """The commit that brings a filled gap fails: the service ends, and the next start fills it again."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        b.kill()
        for n in range(60):
            s.say(NOOR, room, "!events")
        full = []

        def hook(count, method, path, moment):
            if path.endswith("/messages") and moment == "before" and not full:
                full.append(path)
                size = os.path.getsize(b.path("bot.db-wal"))
                resource.prlimit(b.process.pid, resource.RLIMIT_FSIZE, (size, size))
        s.hook = hook
        b.start(restore_signals=False)
        assert b.process.wait(30) != 0, "it goes on without its disk"
        assert full, "no gap was filled"
        s.hook = None
        b.start()
        assert b.ready()
        wait_for(s, room, 61, 30)
        time.sleep(0.5)
        expect(len(s.ledger(room)), 61)


def matrix_bot_takes_invitations_politely():
    with World(encryption="off", more="allow_servers = h friends.example") as (s, b):
        stranger = s.dm("@x:elsewhere.example", joined=False)
        friend = s.dm("@y:friends.example")
        assert s.wait(lambda: s.membership(stranger, BOT) == "leave"), "not rejected"
        s.fault("/join", "no:403:M_FORBIDDEN", 1)
        late = s.dm("@z:h", joined=False)
        assert s.wait(lambda: s.membership(late, BOT) == "join", 15), "not tried again"
        s.leave(friend, "@y:friends.example")
        assert s.wait(lambda: s.membership(friend, BOT) == "leave"), "stays alone"


def matrix_bot_survives_two_thousand_invitations():
    """A few of each person are taken up, slowly; the rest is refused; nobody waits meanwhile."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        with s.lock:
            spam = [s.room("@spam%d:h" % (n % 300)) for n in range(2000)]
            for n, one in enumerate(spam):
                s.invite(one, "@spam%d:h" % (n % 300))
        start = time.time()
        s.say(NOOR, room, "!help")
        wait_for(s, room, 1, 5)
        print("# answered %.2f s after 2,000 invitations" % (time.time() - start))
        for n in range(5):
            start = time.time()
            s.say(NOOR, room, "!events")
            wait_for(s, room, 2 + n, 5)
            assert time.time() - start < 1, "%.2f s" % (time.time() - start)
        assert len([p for p in s.paths if p.endswith("/join")]) < 30, "a storm of joins"
        friend = s.dm("@friend:h", joined=False)
        assert s.wait(lambda: s.membership(friend, BOT) == "join", 15), "behind the storm"
        refused = len([x for x in spam if s.membership(x, BOT) == "leave"])
        assert 20 < refused < 400, "%d refused in %d s" % (refused, 15)
        b.kill()
        b.start()
        assert b.ready()
        assert s.wait(lambda: len([x for x in spam if s.membership(x, BOT) == "leave"]) > refused + 50, 30), \
            "the rest is forgotten by a restart"
        assert not any(s.membership(x, BOT) == "leave" for x in (room, friend))


def matrix_bot_refuses_what_is_no_private_chat():
    """With a word in three languages; whoever holds a role may bring it into a room, and a configured room is
    always one of ours."""
    more = "[room board]\naddress = matrix:!board:h\ntitle = Board"
    with World(encryption="off", more=more) as (s, b):
        room = s.room(NOOR)
        s.invite(room, NOOR, direct=False)
        assert s.wait(lambda: s.membership(room, BOT) == "leave"), "not refused"
        said = [r["body"].get("reason") for r in s.requests if r["path"].endswith("/leave")]
        assert len(said) == 1 and all(w in said[0] for w in ("Private", "פרטיות", "خاصة")), said
        expect([p for p in s.paths if p.endswith("/join")], [])
        s.room(NOOR, "!board:h")
        s.invite("!board:h", NOOR, direct=False)
        assert s.wait(lambda: s.membership("!board:h", BOT) == "join"), "the configured room is refused"
        private = s.dm()
        code = b.command("invite", "--role", "coordinator", "--org", "allmep").stdout
        s.say(NOOR, private, "!start " + re.search(r"j_[\w-]{22}", code).group(0))
        wait_for(s, private)
        s.say(NOOR, private, "1")
        wait_for(s, private, 2)
        time.sleep(0.3)
        again = s.room(NOOR)
        s.invite(again, NOOR, direct=False)
        assert s.wait(lambda: s.membership(again, BOT) == "join"), "a coordinator is refused"


def in_thread(root, last):
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": root, "is_falling_back": True,
                             "m.in_reply_to": {"event_id": last}}}


def matrix_bot_answers_in_the_thread():
    """In a private chat and in a room where others write in the main timeline; what replaces a card stays
    with its card."""
    with World(encryption="off", more="[room board]\naddress = matrix:!board:h\ntitle = Board\norg = arava\n"
               "languages = en") as (s, b):
        room = s.dm()
        root = s.say(NOOR, room, "!help")
        said = wait_for(s, room)[0]
        assert "m.relates_to" not in said, said
        asked = s.say(NOOR, room, "!language", **in_thread(root, root))
        said = wait_for(s, room, 2)[1]
        expect(said["m.relates_to"], in_thread(root, asked)["m.relates_to"])
        asked = s.say(NOOR, room, "1", **in_thread(root, asked))
        said = wait_for(s, room, 3)[2]["m.relates_to"]
        assert said["rel_type"] == "m.replace" or said == in_thread(root, asked)["m.relates_to"], said
        s.say(NOOR, room, "!help")
        assert "m.relates_to" not in wait_for(s, room, 4)[3]
        s.room(NOOR, "!board:h")
        s.invite("!board:h", NOOR, direct=False)
        assert s.wait(lambda: s.membership("!board:h", BOT) == "join"), "the configured room is refused"
        s.member("!board:h", "@eve:h", "join")
        root = s.say(NOOR, "!board:h", "A good morning")
        asked = s.say(NOOR, "!board:h", "!help", **in_thread(root, root))
        said = wait_for(s, "!board:h")[0]
        expect(said["m.relates_to"], in_thread(root, asked)["m.relates_to"])
        s.say("@eve:h", "!board:h", "!help")
        assert "m.relates_to" not in wait_for(s, "!board:h", 2)[1]
        # Asked in the room, answered in private: there is no such thread there.
        s.say(NOOR, "!board:h", "!podcast", **in_thread(root, root))
        time.sleep(1)
        for c in s.ledger(room)[4:]:
            assert "m.thread" not in str(c), c


def matrix_bot_is_led_nowhere_by_a_tombstone():
    """A room named as successor that says nothing of the old one is left again; and it is no way around the
    limits, however many are named."""
    with World(encryption="off") as (s, b):
        room = s.dm("@eve:h")
        s.fault("/join", "late", 1000)  # /sync tells of the room before the answer comes
        traps = [s.room("@mallory:h", "!trap%d:h" % n) for n in range(200)]
        s.public = set(traps)
        for trap in traps:
            s.event(room, "@eve:h", "m.room.tombstone", {"body": "", "replacement_room": trap}, "")
        time.sleep(2)
        s.dm("@friend:h")
        assert s.wait(lambda: not any(s.membership(t, BOT) == "join" for t in traps), 60), "stays in a trap"
        joins = [p for p in s.paths if "/join" in p and "trap" in p]
        assert len(joins) < 12, joins
        s.invite(traps[0], "@mallory:h", direct=False)
        assert s.wait(lambda: s.membership(traps[0], BOT) == "leave"), "taken along"


def matrix_bot_leaves_what_it_cannot_encrypt():
    """An algorithm that is not known: said with the leaving, and nothing else goes there."""
    with World() as (s, b):
        room = s.room(NOOR)
        s.event(room, NOOR, "m.room.encryption", {"algorithm": "m.unknown.v9"}, "")
        s.invite(room, NOOR)
        s.say(NOOR, room, "!help")
        assert s.wait(lambda: s.membership(room, BOT) == "leave", 20), "stays"
        expect(s.ledger(room), [])


def matrix_bot_stops_when_it_is_kicked():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        s.leave(room, BOT, NOOR)
        time.sleep(0.5)
        again = s.dm()
        s.say(NOOR, again, "!help")
        wait_for(s, again)


def matrix_bot_says_nothing_personal_to_a_group():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        s.member(room, "@third:h", "join")
        time.sleep(0.3)
        s.say(NOOR, room, "!profile")
        s.say(NOOR, room, "what do you know of me?")
        time.sleep(0.7)
        bodies = s.bodies(room)[1:]
        assert all("Profile" not in x for x in bodies), bodies
        assert len(bodies) <= 1, bodies


def matrix_bot_takes_nothing_personal_to_who_came_meanwhile():
    """What was said to one person waits for the server's limit, and somebody else comes in."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        s.fault("/send/", "429:2000", 1)
        s.say(NOOR, room, "!profile")
        assert s.wait(lambda: not s.faults[0]["times"]), "nothing was sent"
        s.member(room, "@third:h", "join")
        time.sleep(4)
        expect(len(s.ledger(room)), 1)


def matrix_bot_one_spammer_delays_nobody():
    with World(encryption="off") as (s, b):
        with s.lock:
            for n in range(50):
                s.invite(s.room("@spam:h"), "@spam:h")
        start = time.time()
        s.dm("@friend:h")
        assert time.time() - start < 3, "%.1f s" % (time.time() - start)


def matrix_bot_follows_an_upgrade():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        new = s.room(NOOR, predecessor=room)
        s.event(room, NOOR, "m.room.tombstone", {"body": "", "replacement_room": new}, "")
        time.sleep(0.3)
        s.invite(new, NOOR)
        assert s.wait(lambda: s.membership(new, BOT) == "join", 30), "did not follow"
        s.say(NOOR, new, "!help")
        wait_for(s, new)
        assert s.wait(lambda: s.membership(room, BOT) == "leave"), "stays in the old room"


def matrix_bot_is_not_taken_along_by_a_stranger():
    """A tombstone that names a room which does not name the old one moves nothing."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        trap = s.room("@eve:h")
        s.event(room, NOOR, "m.room.tombstone", {"body": "", "replacement_room": trap}, "")
        s.invite(trap, "@eve:h", direct=False)
        s.wait(lambda: s.membership(trap, BOT) == "join", 10)
        time.sleep(0.5)
        expect(s.ledger(trap), [])
        expect(s.membership(room, BOT), "join")


def matrix_bot_waits_as_long_as_it_is_asked():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.fault("/send/", "429:1500", 1)
        start = time.time()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        took = time.time() - start
        assert took >= 1.9, "Retry-After was longer: %.2f s" % took
        sent = [p for p in s.paths if "/send/" in p]
        assert len(sent) >= 2 and sent[0] == sent[1], "another transaction id: %r" % sent


def matrix_bot_sends_once_whatever_happens_to_answers():
    for what in ("after", "half", "502", "html", "drop", "empty"):
        with World(encryption="off") as (s, b):
            room = s.dm()
            s.fault("/send/", what, 2)
            s.say(NOOR, room, "!help")
            wait_for(s, room)
            time.sleep(2.5 if what in ("502", "html", "empty", "drop") else 1.5)
            expect((what, len(s.ledger(room))), (what, 1))


def matrix_bot_keeps_answering_through_nonsense():
    nasty = [
        {"type": "m.room.message", "content": "no object"},
        {"type": "m.room.message", "content": {"msgtype": 7, "body": {"a": 1}}},
        {"type": "m.room.message", "content": {"msgtype": "m.text"}},
        {"type": "m.room.message", "content": None},
        {"type": ["m.room.message"], "content": {}},
        {"content": {"msgtype": "m.text", "body": "x" * 60000}},
        {"content": {"msgtype": "m.text", "body": "\ud800 lone \udc00"}},
        {"content": {"msgtype": "m.text", "body": "n"}, "origin_server_ts": 12345678901234567890},
        {"content": {"msgtype": "m.text", "body": "n"}, "origin_server_ts": "@@1e999@@"},
        {"content": {"msgtype": "m.text", "body": "nul \u0000 inside"}},
        {"content": {"msgtype": "m.image", "url": "mxc://", "body": "p", "info": 3}},
        {"sender": "no-user", "content": {"msgtype": "m.text", "body": "!help"}},
        {"sender": "@" + "x" * 300 + ":h", "content": {"msgtype": "m.text", "body": "!help"}},
        {"event_id": None, "content": {"msgtype": "m.text", "body": "!help"}},
        {"type": "m.room.member", "state_key": 5, "content": {"membership": []}},
        {"type": "m.room.tombstone", "state_key": "", "content": {"replacement_room": 12}},
        {"type": "m.room.encrypted", "content": {"algorithm": 1, "ciphertext": {}}},
        {"content": {"msgtype": "m.text", "body": "deep", "x": "@@deep@@"}},
        {"content": {"msgtype": "m.text", "body": "twice", "x": "@@twice@@"}},
        {"content": {"msgtype": "m.text", "body": "n", "n": 1.5, "m": -12345678901234567890}},
        {"type": "m.reaction", "content": {"m.relates_to": {"event_id": "$e1", "key": "1"}}},
    ]
    for encryption in ("off", "on"):
        with World(encryption=encryption) as (s, b):
            room, bad = s.dm(), s.dm("@bad:h")
            for n, event in enumerate(nasty):
                s.event(bad, "@bad:h", event.get("type", "m.room.message"), event["content"],
                        raw=event)
                start = time.time()
                s.say(NOOR, room, "!events")
                wait_for(s, room, n + 1, 5)
                assert time.time() - start < 1, "%.2f s at %r" % (time.time() - start, event)


def matrix_bot_is_not_deaf_in_a_flood_of_keys():
    """10,000 messages to its device in one answer, of a stranger who is nobody's device: others are answered."""
    with World(start=False) as (s, b):
        b.start()
        assert b.ready()
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        device = s.devices[BOT]["BOTDEV"]["keys"]["curve25519:BOTDEV"]
        bodies = [base64.b64encode(b"\3\n\x20" + os.urandom(150)).decode().rstrip("=") for _ in range(100)]
        kinds = [{"type": "m.room.encrypted", "sender": "@eve:h", "content": {
            "algorithm": "m.olm.v1.curve25519-aes-sha2",
            "sender_key": base64.b64encode(os.urandom(32)).decode().rstrip("="),
            "ciphertext": {device: {"type": n % 2, "body": bodies[n % 100] + "%04d" % n}}}} if n % 4 else
            {"type": "m.room_key_request", "sender": "@eve:h", "content": {
                "action": "request", "requesting_device_id": "X", "request_id": str(n), "body": {
                    "algorithm": "m.megolm.v1.aes-sha2", "room_id": room, "session_id": "s"}}}
            for n in range(10000)]
        with s.lock:
            s.boxes.setdefault((BOT, "BOTDEV"), []).extend(kinds)
            s.bump()
        for n in range(3):
            start = time.time()
            s.say(NOOR, room, "!events")
            wait_for(s, room, n + 2, 1 if n else 8)
            print("# answered %.2f s after 10,000 messages to the device" % (time.time() - start))
        expect([p for p in s.paths if "m.forwarded_room_key" in p], [])


def matrix_bot_tells_nothing_to_who_is_not_there():
    """A server that puts words of somebody else into a private chat gets nothing personal out of it."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        for word in ("!mydata", "!profile", "hello", "1"):
            s.say("@eve:h", room, word)
        time.sleep(1)
        assert all(c["msgtype"] != "m.file" for c in s.ledger(room)), s.ledger(room)
        assert all("private chat only" in body for body in s.bodies(room)[1:]), s.bodies(room)
        count = len(s.ledger(room))
        s.say(NOOR, room, "!mydata")
        wait_for(s, room, count + 1)
        assert s.wait(lambda: any(c["msgtype"] == "m.file" for c in s.ledger(room))), s.bodies(room)


def matrix_bot_outlives_a_hostile_server():
    for what in ("500", "html", "half", "502", "raw:[]", "raw:{}", 'raw:{"next_batch":7}',
                 'raw:{"next_batch":"s5","rooms":{"join":{"!x:h":{"timeline":"no","state":[]}}}}',
                 'raw:{"next_batch":"s6","rooms":[],"to_device":{"events":[1,null,{}]}}',
                 "raw:" + "[" * 5000, "drop"):
        with World(encryption="off") as (s, b):
            room = s.dm()
            s.say(NOOR, room, "!help")
            wait_for(s, room)
            time.sleep(0.2)
            before = len([p for p in s.paths if p.endswith("/sync")])
            s.fault("/sync", what, 3)
            s.say(NOOR, room, "!events")
            wait_for(s, room, 2, 15)
            after = len([p for p in s.paths if p.endswith("/sync")]) - before
            assert after < 40, "%d polls in a tight loop after %s" % (after, what)


def matrix_bot_says_in_status_what_it_sees():
    with World(encryption="off") as (s, b):
        assert "network.matrix" in b.command("status").stdout
        for what, word in (("500", "fault"), ("html", "none")):
            s.fault("/sync", what, 1000)
            s.say(NOOR, s.room(BOT), "wakes the poll")
            assert s.wait(lambda: word in b.command("status").stdout, 10), \
                b.command("status").stdout
            s.faults.clear()
            assert s.wait(lambda: " good" in [x for x in b.command("status").stdout.split("\n")
                                              if "network.matrix" in x][0], 30)
        s.stuck = {"next_batch": "s1000000"}
        s.say(NOOR, s.room(BOT), "wakes the poll")
        before = len(s.paths)
        assert s.wait(lambda: "again and again" in b.command("status").stdout, 15)
        assert len(s.paths) - before < 60, "a tight loop"


def matrix_bot_does_not_race_with_an_eager_server():
    """Another position each time, at once, and never anything."""
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        for n in range(1000):
            s.fault("/sync", 'raw:{"next_batch":"s%d"}' % (10 ** 6 + n), 1)
        before = len(s.paths)
        s.say(NOOR, s.room(BOT), "wakes the poll")
        time.sleep(3)
        assert len(s.paths) - before < 40, "%d requests in 3 s" % (len(s.paths) - before)


def matrix_bot_finds_what_a_stuck_server_keeps_back():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        time.sleep(0.3)
        s.stuck = {"next_batch": "s%d" % s.position}
        s.say(NOOR, room, "!events")
        wait_for(s, room, 2, 60)
        s.stuck = None
        s.say(NOOR, room, "!podcast")
        wait_for(s, room, 3, 60)
        time.sleep(1)
        expect(len(s.ledger(room)), 3)


def matrix_bot_finds_what_is_kept_back_in_another_room():
    """The last word came from elsewhere; and a new chat, of which the stuck position tells nothing either."""
    for new in (False, True):
        with World(encryption="off") as (s, b):
            other = None if new else s.dm("@dan:h")
            room = s.dm()
            s.say(NOOR, room, "!help")
            wait_for(s, room)
            time.sleep(0.5)
            s.stuck_at = "s%d" % s.position
            other = other or s.dm("@dan:h", joined=False)
            s.say("@dan:h", other, "!events")
            wait_for(s, other, 1, 90)


def matrix_bot_counts_a_bad_since_as_a_first_sync():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        s.fault("/sync", "no:400:M_UNKNOWN", 1)
        s.say(NOOR, s.room(BOT), "wakes the poll")
        time.sleep(1.5)
        s.say(NOOR, room, "!events")
        wait_for(s, room, 2)
        time.sleep(0.5)
        expect(len(s.ledger(room)), 2)


def matrix_bot_refreshes_before_a_token_dies():
    """A token of four seconds: the talk goes on for ten, no request meets a dead one, no second login."""
    with World(token=None, password=PASSWORD, server=server_with(life_ms=4000)) as (s, b):
        room = s.dm()
        for n in range(10):
            s.say(NOOR, room, "!events")
            wait_for(s, room, n + 1)
            time.sleep(1)
        assert s.refreshes >= 3, s.refreshes
        expect((s.logins, s.expired), (1, 0))


def matrix_bot_keeps_a_new_pair_before_it_uses_it():
    """Killed when the new pair was made and when it was heard of: there is always one that works, and
    never a second login."""
    for when in ("before", "after", "used"):
        with World(token=None, password=PASSWORD, server=server_with(life_ms=3000)) as (s, b):
            room = s.dm()
            killed = []

            def hook(count, method, path, moment):
                if path.endswith("/refresh" if when != "used" else "/sync") and not killed and (
                        moment == when or when == "used" and s.refreshes):
                    killed.append(path)
                    b.process.kill()
                    b.process.wait()
            s.hook = hook
            assert s.wait(lambda: killed, 15), "no refresh"
            s.hook = None
            b.start()
            assert b.ready()
            s.say(NOOR, room, "!help")
            wait_for(s, room)
            expect((when, s.logins), (when, 1))


def matrix_bot_lives_on_when_a_refresh_is_refused():
    with World(token=None, password=PASSWORD, server=server_with(life_ms=3000)) as (s, b):
        room = s.dm()
        assert s.wait(lambda: BOT in s.devices)
        device = list(s.devices[BOT])
        s.refresh_tokens.clear()
        assert s.wait(lambda: s.logins == 2, 15), "no new login"
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        expect(list(s.devices[BOT]), device)


def server_with(**settings):
    server = Homeserver()
    for name, value in settings.items():
        setattr(server, name, value)
    return server


def matrix_bot_logs_in_softly():
    with World(token=None, password=PASSWORD, server=server_with(life_ms=0)) as (s, b):
        room = s.dm()
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        expect(s.logins, 1)
        device = list(s.devices[BOT])
        for session in s.tokens.values():
            session["state"] = "expired"
        with s.lock:
            s.bump()
        assert s.wait(lambda: s.logins == 2, 15), "no new login"
        s.say(NOOR, room, "!events")
        wait_for(s, room, 2)
        expect(list(s.devices[BOT]), device)
        expect(b.stop()[0], 0)
        b.start()
        assert b.ready()
        s.say(NOOR, room, "!events")
        wait_for(s, room, 3)
        expect(s.logins, 2)


def matrix_bot_waits_for_a_locked_account():
    with World(encryption="off") as (s, b):
        room = s.dm()
        s.tokens[TOKEN]["state"] = "locked"
        s.say(NOOR, s.room(BOT), "wakes the poll")
        assert s.wait(lambda: "locked" in b.command("status").stdout, 40)
        assert b.process.poll() is None
        expect(len([p for p in s.paths if p.endswith("/login")]), 0)


def matrix_bot_refused_token_ends_with_77():
    with World(start=False, token="syt_canary_wrong") as (s, b):
        b.start()
        expect(b.process.wait(20), 77)


def matrix_bot_does_not_hold_back_the_other_network():
    """A refused Matrix beside a Telegram that is only slow: the service lives on."""
    with World(start=False, token="syt_canary_wrong",
               more="[telegram]\ntoken_file = tg\napi_root = http://127.0.0.1:9") as (s, b):
        b.write("tg", "424242:AAcanary_TOKEN-never_in_a_log_0123456\n")
        b.start()
        assert b.ready(), b.said()
        status = b.command("status").stdout
        assert "network.matrix" in status and "refused" in status, status
        assert b.process.poll() is None


def matrix_bot_hides_secrets_and_words():
    with World(password=PASSWORD) as (s, b):
        room = s.dm()
        s.say(NOOR, room, "a word of a member that is nobody's business")
        wait_for(s, room)
        s.fault("/send/", "502", 1)
        s.say(NOOR, room, "!help")
        wait_for(s, room, 2)
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (b.process.pid, name), "rb") as f:
                data = f.read()
            assert TOKEN.encode() not in data and PASSWORD.encode() not in data
        expect(b.stop()[0], 0)
        for name in os.listdir(b.folder):
            if name in ("access_token", "password", "notify", "control"):
                continue
            with open(b.path(name), "rb") as f:
                data = f.read()
            for canary in (TOKEN, PASSWORD, "nobody's business", NOOR, room):
                assert canary.encode() not in data, "%s in %s" % (canary, name)


def matrix_bot_shows_that_it_works():
    with World() as (s, b):
        room = s.dm()
        assert s.wait(lambda: BOT in s.identity)
        s.fault("/state/m.room.encryption", "500", 2)
        s.say(NOOR, room, "!help")
        wait_for(s, room)
        assert room in s.typing, "no typing while it waited"


def main():
    if not os.path.exists(PROGRAM):
        print("ok 1 - matrix_bot # skip %s is not built" % PROGRAM)
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_") and callable(f)])


sys.exit(main())
