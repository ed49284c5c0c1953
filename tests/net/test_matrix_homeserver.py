#!/usr/bin/python3
"""The bot and a person who speak over HTTP alone, on any homeserver:

  MATRIX_HOMESERVER=http://127.0.0.1:8008 MATRIX_BOT=@bot:localhost MATRIX_BOT_PASSWORD=… \\
  MATRIX_PEER=@noor:localhost MATRIX_PEER_PASSWORD=… tests/net/test_matrix_homeserver.py

Without MATRIX_HOMESERVER it is the tests' own one. The accounts should be fresh."""
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_nio_peer  # noqa: E402
from matrix_bot import PROGRAM, Bot, expect, run  # noqa: E402
from matrix_server import BOT, NOOR, PASSWORD, Homeserver  # noqa: E402

V3 = "/_matrix/client/v3"
ADDRESS = os.environ.get("MATRIX_HOMESERVER")
BOT_USER = os.environ.get("MATRIX_BOT", BOT)
BOT_PASSWORD = os.environ.get("MATRIX_BOT_PASSWORD", PASSWORD)
PEER = os.environ.get("MATRIX_PEER", NOOR)
PEER_PASSWORD = os.environ.get("MATRIX_PEER_PASSWORD", "peer")
LIMITED = 30


def quote(text):
    return urllib.parse.quote(text, safe="")


class Client:
    """What matrix_nio_peer wants of a server, and what a person does in Element."""

    def __init__(self, address):
        self.address, self.token, self.since, self.count = address, None, None, 0
        self.boxes, self.identity, self.heard = {}, Identity(self), {}
        made = self.ask("POST", "/login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": PEER},
            "password": PEER_PASSWORD})
        self.token, self.device = made["access_token"], made["device_id"]
        self.sync(0)

    def ask(self, method, path, body=None):
        for _ in range(LIMITED):
            request = urllib.request.Request(
                self.address + V3 + path, method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"})
            if self.token:
                request.add_header("Authorization", "Bearer " + self.token)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as no:
                said = json.load(no)
                if no.code == 401 and "session" in said and "auth" not in body:
                    body = dict(body, auth={
                        "type": "m.login.password", "session": said["session"],
                        "identifier": {"type": "m.id.user", "user": PEER},
                        "password": PEER_PASSWORD})
                elif no.code == 429:
                    time.sleep(said.get("retry_after_ms", 5000) / 1000)
                else:
                    raise AssertionError("%s %s: %d %r" % (method, path, no.code, said))
        raise AssertionError("limited for ever")

    def upload(self, user, device, body):
        return self.ask("POST", "/keys/upload", body)

    def query(self, body):
        return self.ask("POST", "/keys/query", body)

    def claim(self, body):
        return self.ask("POST", "/keys/claim", body)

    def to_device(self, sender, kind, body):
        self.count += 1
        return self.ask("PUT", "/sendToDevice/%s/t%d.%d" % (kind, os.getpid(), self.count), body)

    def sync(self, timeout=1000):
        path = "/sync?timeout=%d" % timeout + ("&since=" + self.since if self.since else "")
        answer = self.ask("GET", path)
        self.since = answer["next_batch"]
        self.boxes.setdefault((PEER, self.device), []).extend(
            answer.get("to_device", {}).get("events", []))
        for room, entry in answer.get("rooms", {}).get("join", {}).items():
            for event in entry["state"]["events"] + entry["timeline"]["events"]:
                known = [e["event_id"] for e in self.heard.setdefault(room, [])]
                if event["event_id"] not in known:
                    self.heard[room].append(event)

    def room(self, encrypted):
        state = [{"type": "m.room.encryption", "state_key": "",
                  "content": {"algorithm": "m.megolm.v1.aes-sha2"}}] if encrypted else []
        room = self.ask("POST", "/createRoom", {
            "preset": "trusted_private_chat", "is_direct": True, "invite": [BOT_USER],
            "initial_state": state})["room_id"]
        self.until(lambda: any(
            e["type"] == "m.room.member" and e["state_key"] == BOT_USER and
            e["content"]["membership"] == "join" for e in self.heard.get(room, [])), "no join")
        return room

    def send(self, room, kind, content):
        self.count += 1
        return self.ask("PUT", "/rooms/%s/send/%s/t%d.%d" % (
            quote(room), kind, os.getpid(), self.count), content)

    def said(self, room):
        return [e for e in self.heard.get(room, []) if e["sender"] == BOT_USER and
                e["type"] in ("m.room.message", "m.room.encrypted")]

    def until(self, condition, why, seconds=90):
        end = time.time() + seconds
        while not condition():
            assert time.time() < end, why
            self.sync()


class Identity(dict):
    """The peer's own keys, uploaded when they are set."""

    def __init__(self, client):
        super().__init__()
        self.client = client

    def __setitem__(self, user, keys):
        super().__setitem__(user, keys)
        self.client.ask("POST", "/keys/device_signing/upload", dict(keys))


class World:
    def __enter__(self):
        self.server = None
        address = ADDRESS
        if not address:
            self.server = Homeserver()
            self.server.passwords[NOOR] = PEER_PASSWORD
            address = self.server.start()
        self.client = Client(address)
        self.bot = Bot(address, token=None, password=BOT_PASSWORD, user=BOT_USER)
        self.bot.start()
        assert self.bot.ready(), self.bot.said()[-3000:]
        return self.client, self.bot

    def __exit__(self, kind, value, trace):
        if kind is not None and os.environ.get("SHOW"):
            print("# " + self.bot.said()[-3000:].replace("\n", "\n# "))
        self.bot.end()
        if self.server:
            self.server.close()
            assert kind or not self.server.violations, self.server.violations


class Talk:
    """An encrypted room, with the whole of nio's encryption on our side."""

    def __init__(self, client, peer=None):
        self.client = client
        for name, value in (("BOT", BOT_USER), ("NOOR", PEER)):
            setattr(matrix_nio_peer, name, value)
        self.peer = peer or matrix_nio_peer.Peer(client, client.device)
        self.room = matrix_nio_peer.ROOM = client.room(True)
        self.anew()

    def anew(self):
        self.peer.query()
        self.peer.olm.outbound_group_sessions.pop(self.room, None)
        self.peer.share()

    def say(self, text):
        content = self.peer.olm.group_encrypt(self.room, {
            "type": "m.room.message", "content": {"msgtype": "m.text", "body": text}})
        self.client.send(self.room, "m.room.encrypted", content)

    def answers(self, count):
        self.client.until(lambda: len(self.client.said(self.room)) >= count,
                          "%d answers, wanted %d" % (len(self.client.said(self.room)), count))
        self.client.sync(0)
        self.peer.query()
        self.peer.sync()
        return [self.peer.read(e["content"], e["event_id"]).body
                for e in self.client.said(self.room)]


def signed(client):
    def good():
        keys = client.query({"device_keys": {BOT_USER: []}})
        devices = keys["device_keys"].get(BOT_USER, {}).values()
        return BOT_USER in keys.get("master_keys", {}) and any(
            len(d.get("signatures", {}).get(BOT_USER, {})) > 1 for d in devices)
    client.until(good, "the bot's device is not signed")


def matrix_homeserver_in_clear():
    with World() as (c, b):
        room = c.room(False)
        c.send(room, "m.room.message", {"msgtype": "m.text", "body": "!help"})
        c.until(lambda: c.said(room), "no answer")
        assert len(c.said(room)[0]["content"]["body"]) > 20


def matrix_homeserver_encrypted_restarted_and_killed():
    with World() as (c, b):
        signed(c)
        talk = Talk(c)
        talk.say("!help")
        assert len(talk.answers(1)[0]) > 20
        expect(b.stop()[0], 0)
        talk.say("!events")
        b.start()
        assert b.ready()
        talk.answers(2)
        b.kill()
        talk.say("!podcast")
        b.start()
        assert b.ready()
        talk.answers(3)
        time.sleep(1)
        c.sync(0)
        expect(len(c.said(talk.room)), 3)


def matrix_homeserver_old_state_goes_on():
    """With a new device; or with the old one, where everything that was forgotten was said again word
    for word under the same transaction ids, so that the server and the ratchet are where they were."""
    with World() as (c, b):
        signed(c)
        talk = Talk(c)
        talk.say("!help")
        talk.answers(1)
        b.stop()
        b.keep_state()
        b.start()
        assert b.ready()
        talk.say("!events")
        talk.answers(2)
        b.stop()
        b.restore_state()
        before = set(c.query({"device_keys": {BOT_USER: []}})["device_keys"][BOT_USER])
        b.start()
        assert b.ready()
        time.sleep(3)
        signed(c)
        c.sync(0)
        count = len(c.said(talk.room))
        talk.anew()
        talk.say("!podcast")
        talk.answers(count + 1)
        after = set(c.query({"device_keys": {BOT_USER: []}})["device_keys"][BOT_USER])
        print("# %s" % ("a new device" if after - before else "the old device, nothing lost"))


def main():
    if not os.path.exists(PROGRAM) or matrix_nio_peer.MISSING:
        print("ok 1 - matrix_homeserver # skip the bot or nio is not there")
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_homeserver") and callable(f)])


sys.exit(main())
