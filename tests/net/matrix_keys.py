"""Key distribution of a homeserver in memory, and the bot's encryption behind matrix_driver."""
import json
import subprocess

DRIVER = "build/san/net/matrix_driver"
BOT, NOOR, ROOM = "@bot:h", "@noor:h", "!a:h"
GOOD, WAIT = 0, 1
READY, AGAIN, NOBODY = 0, 2, 3


class Server:
    """Key distribution of a homeserver, nothing else."""

    def __init__(self):
        self.devices, self.pools, self.fallback, self.identity = {}, {}, {}, {}
        self.boxes, self.changed = {}, []

    def upload(self, user, device, body):
        if "device_keys" in body:
            self.devices.setdefault(user, {})[device] = body["device_keys"]
            self.changed.append(user)
        self.pools.setdefault((user, device), {}).update(body.get("one_time_keys", {}))
        if body.get("fallback_keys"):
            self.fallback[user, device] = body["fallback_keys"]
        return {"one_time_key_counts": {"signed_curve25519": len(self.pools[user, device])}}

    def query(self, body, asker=None):
        users = body["device_keys"]
        kinds = (("master_keys", "master_key"), ("self_signing_keys", "self_signing_key"))
        answer = {"device_keys": {u: self.devices.get(u, {}) for u in users}, "failures": {}}
        for many, one in kinds:
            answer[many] = {u: self.identity[u][one] for u in users if u in self.identity}
        # The third key is told to its owner alone.
        if asker in users and "user_signing_key" in self.identity.get(asker, {}):
            answer["user_signing_keys"] = {asker: self.identity[asker]["user_signing_key"]}
        return answer

    def claim(self, body):
        keys = {}
        for user, devices in body["one_time_keys"].items():
            for device in devices:
                pool = self.pools.get((user, device), {})
                key = dict([pool.popitem()]) if pool else self.fallback.get((user, device))
                if key:
                    keys.setdefault(user, {})[device] = key
        return {"one_time_keys": keys, "failures": {}}

    def to_device(self, sender, kind, body):
        for user, devices in body["messages"].items():
            for device, content in devices.items():
                self.boxes.setdefault((user, device), []).append(
                    {"type": kind, "sender": sender, "content": content})
        return {}

    def serve(self, user, device, path, body):
        if path.endswith("/keys/upload"):
            return self.upload(user, device, body)
        if path.endswith("/keys/query"):
            return self.query(body, user)
        if path.endswith("/keys/claim"):
            return self.claim(body)
        if path.endswith("/device_signing/upload"):
            self.identity[user] = body
            return {}
        if path.endswith("/signatures/upload"):
            for key_id, signed in body[user].items():
                target = self.devices[user].get(key_id, self.identity[user]["master_key"])
                for who, keys in signed["signatures"].items():
                    target.setdefault("signatures", {}).setdefault(who, {}).update(keys)
            return {"failures": {}}
        if "/sendToDevice/" in path:
            return self.to_device(user, path.split("/")[5], body)
        if "/members" in path:
            return {"chunk": [{"type": "m.room.member", "state_key": u,
                               "content": {"membership": "join"}} for u in (BOT, NOOR)]}
        return {"algorithm": "m.megolm.v1.aes-sha2"}


class Bot:
    def __init__(self, server):
        self.server, self.since = server, 0
        self.process = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.fingerprint = self.ask(do="open", user=BOT, device="BOTDEV")["fingerprint"]
        self.run()
        self.sync()

    def ask(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self):
        while True:
            request = self.ask(do="next")
            if not request:
                request = self.ask(do="next")
            if not request:
                return
            body = json.loads(request["body"]) if request.get("body") else None
            self.ask(do="answered", cookie=request["cookie"], status=200,
                     answer=self.server.serve(BOT, "BOTDEV", request["path"], body))

    def sync(self):
        changed = self.server.changed[self.since:]
        self.since = len(self.server.changed)
        state = self.ask(do="sync", answer={
            "next_batch": "n", "device_lists": {"changed": changed},
            "to_device": {"events": self.server.boxes.pop((BOT, "BOTDEV"), [])},
            "device_one_time_keys_count": {
                "signed_curve25519": len(self.server.pools[BOT, "BOTDEV"])},
            "device_unused_fallback_key_types": ["signed_curve25519"]})
        self.run()
        return state

    def read(self, event):
        read = self.ask(do="read", room=ROOM, event=event)
        if read["how"] == WAIT:
            self.run()
            read = self.ask(do="late")
        return read

    def say(self, txn, text):
        order = {"do": "seal", "room": ROOM, "txn": txn, "type": "m.room.message",
                 "content": {"msgtype": "m.text", "body": text}}
        for _ in range(20):
            answer = self.ask(**order)
            if answer["how"] != AGAIN:
                return answer
            self.run()
        return answer

    def close(self):
        self.process.stdin.close()
        return self.process.wait()
