#!/usr/bin/python3
"""A Matrix homeserver on loopback, as far as a bot uses one, keys included, that keeps a record.

As a module:  server = Homeserver(); server.start() -> address; room = server.dm(NOOR); server.say(...)
It answers as Synapse 1.141 was measured to (MATRIX.md); what a client must not do is noted in
`violations`, which must stay empty: a readable message in an encrypted room, a token in an address.
Positions are counted: `since` is "s<N>", a page's end "p<N>".
"""
import http.server
import json
import os
import re
import socketserver
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_keys  # noqa: E402

BOT, NOOR = matrix_keys.BOT, matrix_keys.NOOR
TOKEN, PASSWORD = "syt_canary_TOKEN_never_in_a_log", "canary-PASSWORD-never-in-a-log"
V3 = "/_matrix/client/v3"


class No(Exception):
    def __init__(self, status, code, **more):
        super().__init__(code)
        self.status, self.answer = status, dict({"errcode": code, "error": code}, **more)


def unknown_token(soft=False):
    return No(401, "M_UNKNOWN_TOKEN", soft_logout=soft)


class Homeserver(matrix_keys.Server):
    def __init__(self):
        super().__init__()
        self.lock = threading.Condition(threading.RLock())
        self.position, self.rooms, self.invites, self.left = 1, {}, {}, {}
        self.tokens = {TOKEN: {"user": BOT, "device": "BOTDEV", "state": "good"}}
        self.passwords = {BOT: PASSWORD}
        self.logins = self.next_device = self.next_room = self.next_event = self.next_media = 0
        self.filters, self.account_data, self.media, self.txns = {}, {}, {}, {}
        self.receipts, self.typing, self.directs = {}, [], {}
        self.marks = {}          # what of boxes and changed lists has which position
        self.violations, self.requests, self.faults, self.paths = [], [], [], []
        self.refresh_tokens, self.next_token, self.life_ms = {}, 0, 300000
        self.refreshes = self.expired = 0
        self.per_message_ms = 0
        self.hook, self.count = None, 0
        self.stuck = None        # an answer: the same for ever
        self.stuck_at = None     # a position behind which nothing is told
        self.open = 0
        self.foreign = {}        # tokens of recorded answers: the position they stand for
        self.deleted = set()
        self.public = set()      # rooms that anybody may join

    # ---- life ----

    def start(self, port=0):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_any(self):
                server.client(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.httpd = Threads(("127.0.0.1", port), Handler)
        self.address = "http://127.0.0.1:%d" % self.httpd.server_address[1]
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()
        return self.address

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()

    def wait(self, condition, seconds=10):
        end = time.time() + seconds
        while time.time() < end:
            with self.lock:
                if condition():
                    return True
            time.sleep(0.01)
        return False

    def bump(self):
        self.position += 1
        self.lock.notify_all()
        return self.position

    # ---- what tests do ----

    def event(self, room, sender, kind, content, state_key=None, stripped=False, raw=None):
        with self.lock:
            self.next_event += 1
            event = {"type": kind, "sender": sender, "content": content, "room_id": room,
                     "event_id": "$e%d" % self.next_event,
                     "origin_server_ts": int(time.time() * 1000), "unsigned": {"age": 1}}
            if state_key is not None:
                event["state_key"] = state_key
            if raw:
                event.update(raw)
            r = self.rooms[room]
            if state_key is not None:
                r["state"][kind, state_key] = event
            r["timeline"].append((self.bump(), event))
            return event["event_id"]

    def room(self, creator, name=None, predecessor=None, encrypted=False):
        with self.lock:
            self.next_room += 1
            room = name or "!r%d:h" % self.next_room
            self.rooms[room] = {"state": {}, "timeline": [], "born": self.position}
            content = {"room_version": "10", "creator": creator}
            if predecessor:
                content["predecessor"] = {"room_id": predecessor, "event_id": "$x"}
            self.event(room, creator, "m.room.create", content, "")
            self.member(room, creator, "join")
            self.event(room, creator, "m.room.power_levels", {"users": {creator: 100}}, "")
            if encrypted:
                self.event(room, creator, "m.room.encryption",
                           {"algorithm": "m.megolm.v1.aes-sha2"}, "")
            return room

    def member(self, room, user, how, sender=None, **more):
        return self.event(room, sender or user, "m.room.member",
                          dict({"membership": how}, **more), user)

    def invite(self, room, sender, direct=True, user=BOT):
        with self.lock:
            self.member(room, user, "invite", sender, **({"is_direct": True} if direct else {}))
            self.invites[user, room] = (self.position, [
                {"type": e["type"], "sender": e["sender"], "state_key": e["state_key"],
                 "content": e["content"]} for (t, _), e in self.rooms[room]["state"].items()
                if t in ("m.room.create", "m.room.member", "m.room.encryption")])
            self.left.pop((user, room), None)

    def dm(self, user=NOOR, name=None, encrypted=False, joined=True):
        room = self.room(user, name, encrypted=encrypted)
        self.invite(room, user)
        if joined and not self.wait(lambda: self.membership(room, BOT) == "join", 15):
            raise AssertionError("the bot did not join")
        return room

    def membership(self, room, user):
        event = self.rooms[room]["state"].get(("m.room.member", user))
        return event["content"]["membership"] if event else None

    def say(self, user, room, text, **more):
        return self.event(room, user, "m.room.message",
                          dict({"msgtype": "m.text", "body": text}, **more))

    def leave(self, room, user, sender=None, how="leave"):
        with self.lock:
            self.member(room, user, how, sender)
            self.left[user, room] = self.position
            self.invites.pop((user, room), None)

    def ledger(self, room):
        """What the bot said in a room, latest versions left as they were sent."""
        with self.lock:
            return [e["content"] for _, e in self.rooms[room]["timeline"]
                    if e["sender"] == BOT and e["type"] in ("m.room.message", "m.room.encrypted")]

    def bodies(self, room):
        return [c.get("body") for c in self.ledger(room)]

    def fault(self, part, what, times=1, room=""):
        with self.lock:
            self.faults.append({"part": part, "what": what, "times": times, "room": room})

    def record(self, path):
        with open(path, "w") as f:
            for r in self.requests:
                f.write(json.dumps(r) + "\n")

    # ---- a request ----

    def client(self, h):
        length = int(h.headers.get("Content-Length") or 0)
        body = h.rfile.read(length)
        parsed = urllib.parse.urlsplit(h.path)
        method, path = h.command, parsed.path
        query = dict(urllib.parse.parse_qsl(parsed.query, keep_blank_values=True))
        with self.lock:
            self.count += 1
            number = self.count
            self.paths.append("%s %s" % (method, path))
        if self.hook:
            self.hook(number, method, path, "before")
        fault = self.pick_fault(path)
        if fault in ("drop", "hang"):
            if fault == "hang":
                time.sleep(60)
            h.close_connection = True
            return
        status, answer, kind = 200, None, "application/json"
        headers = {}
        if fault and fault not in ("after", "half", "late"):
            status, answer, kind, headers = self.faulty(fault)
            if path.endswith("/sync") and fault.startswith("as:"):
                token = json.loads(answer).get("next_batch")
                self.foreign[token] = query.get("since", "s0")
        else:
            status, answer = self.answer(h, method, path, query, body)
        if self.hook:
            self.hook(number, method, path, "after")
        if fault == "after":
            h.close_connection = True
            return
        if fault == "late":
            time.sleep(0.5)  # others tell of it first
        if isinstance(answer, tuple):
            kind, payload = answer
        else:
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        payload = payload.replace(b'"@@1e999@@"', b"-1e999")
        payload = payload.replace(b'"@@deep@@"', b'[{"a":' * 500 + b"1" + b"}]" * 500)
        payload = payload.replace(b'"@@twice@@"', b'1,"body":"!help","body":{}')
        try:
            h.send_response(status)
            h.send_header("Content-Type", kind)
            h.send_header("Content-Length", str(len(payload)))
            for name, value in headers.items():
                h.send_header(name, value)
            h.end_headers()
            h.wfile.write(payload[:len(payload) // 2] if fault == "half" else payload)
            if fault == "half":
                h.close_connection = True
        except OSError:
            h.close_connection = True

    def pick_fault(self, path):
        with self.lock:
            for f in self.faults:
                if f["times"] and f["part"] in path and f["room"] in urllib.parse.unquote(path):
                    f["times"] -= 1
                    return f["what"]
        return None

    @staticmethod
    def faulty(what):
        if what == "html":
            return 200, b"<html><body>proxy</body></html>", "text/html", {}
        if what == "502":
            return 502, b"<html>bad gateway</html>", "text/html", {}
        if what == "empty":
            return 200, {}, "application/json", {}
        if what.startswith("429"):
            ms = int(what.split(":")[1])
            return 429, {"errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": ms}, \
                "application/json", {"Retry-After": str(-(-ms // 1000))}
        if what.startswith("raw:"):
            return 200, what[4:].encode("utf-8", "surrogatepass"), "application/json", {}
        if what.startswith("as:"):
            _, status, text = what.split(":", 2)
            return int(status), text.encode(), "application/json", {}
        if what.startswith("no:"):
            _, status, code = what.split(":")
            return int(status), {"errcode": code, "error": code}, "application/json", {}
        return int(what), {"errcode": "M_UNKNOWN", "error": "fault"}, "application/json", {}

    def answer(self, h, method, path, query, body):
        read = None
        if body and "json" in (h.headers.get("Content-Type") or "json"):
            try:
                read = json.loads(body)
            except ValueError:
                return 400, {"errcode": "M_NOT_JSON", "error": "not JSON"}
        if "access_token" in query:
            self.violations.append("a token in an address")
        try:
            session = self.session(h, path)
            answer = self.route(session, method, path, query, read, body, h)
            status = 200
        except No as no:
            status, answer = no.status, no.answer
        if not isinstance(answer, tuple) and "/media/" not in path:
            with self.lock:
                self.requests.append({"m": method, "path": path, "body": read, "status": status,
                                      "resp": answer})
        return status, answer

    def session(self, h, path):
        if path.endswith(("/login", "/refresh", "/versions")):
            return None
        said = (h.headers.get("Authorization") or "").split(" ")
        if said[0] != "Bearer" or len(said) != 2:
            raise No(401, "M_MISSING_TOKEN")
        with self.lock:
            session = self.tokens.get(said[1])
            if not session:
                raise unknown_token()
            if session["state"] == "expired" or session.get("dies", 1e12) < time.time():
                self.expired += 1
                raise unknown_token(True)
            if session["state"] == "locked":
                raise No(401, "M_USER_LOCKED", soft_logout=True)
            self.used(session)
            return dict(session, token=said[1])

    ROUTES = [(m, re.compile("^" + p + "$"), f) for m, p, f in (
        ("GET", "/_matrix/client/versions", "versions"),
        ("GET", V3 + "/capabilities", "capabilities"),
        ("GET", V3 + "/pushrules/", "push_rules"),
        ("POST", V3 + "/login", "login"),
        ("POST", V3 + "/refresh", "refresh"),
        ("POST", V3 + "/logout", "logout"),
        ("GET", V3 + "/account/whoami", "whoami"),
        ("POST", V3 + "/user/([^/]+)/filter", "filter"),
        ("GET", V3 + "/sync", "sync"),
        ("PUT", V3 + "/rooms/([^/]+)/send/([^/]+)/([^/]+)", "send"),
        ("PUT", V3 + "/rooms/([^/]+)/redact/([^/]+)/([^/]+)", "redact"),
        ("POST", V3 + "/rooms/([^/]+)/join", "join"),
        ("POST", V3 + "/join/([^/]+)", "join"),
        ("POST", V3 + "/createRoom", "create_room"),
        ("POST", V3 + "/rooms/([^/]+)/leave", "leave_room"),
        ("POST", V3 + "/rooms/([^/]+)/forget", "forget"),
        ("POST", V3 + "/rooms/([^/]+)/receipt/m.read/([^/]+)", "receipt"),
        ("PUT", V3 + "/rooms/([^/]+)/typing/([^/]+)", "type"),
        ("GET", V3 + "/rooms/([^/]+)/messages", "messages"),
        ("GET", V3 + "/rooms/([^/]+)/members", "members"),
        ("GET", V3 + "/rooms/([^/]+)/state/m.room.encryption/?", "encryption"),
        ("GET", V3 + "/user/([^/]+)/account_data/([^/]+)", "get_data"),
        ("PUT", V3 + "/user/([^/]+)/account_data/([^/]+)", "put_data"),
        ("POST", "/_matrix/media/v3/upload", "upload_media"),
        ("GET", "/_matrix/client/v1/media/download/([^/]+)/([^/]+)", "download"),
        ("POST", V3 + "/keys/.*", "keys"),
        ("PUT", V3 + "/sendToDevice/([^/]+)/([^/]+)", "keys"),
    )]

    def route(self, session, method, path, query, read, body, h):
        for m, pattern, name in self.ROUTES:
            found = pattern.match(path)
            if found and m == method:
                holes = [urllib.parse.unquote(x) for x in found.groups()]
                handler = getattr(self, "on_" + name)
                request = {"session": session, "query": query, "body": read, "bytes": body,
                           "path": path, "headers": h.headers}
                if name == "sync":
                    return handler(request)
                with self.lock:
                    return handler(request, *holes)
        if session and session["user"] == BOT:
            self.violations.append("%s %s is not known here" % (method, path))
        raise No(404, "M_UNRECOGNIZED")

    # ---- sessions ----

    def new_session(self, user, device, refreshable=False):
        """A refreshable one dies after `life_ms`; its predecessor when it is first used."""
        self.next_token += 1
        token = "syt_canary_%d" % self.next_token
        self.tokens[token] = {"user": user, "device": device, "state": "good"}
        made = {"user_id": user, "access_token": token, "device_id": device}
        if refreshable and self.life_ms:
            made.update(refresh_token="syr_canary_%d" % self.next_token, expires_in_ms=self.life_ms)
            self.tokens[token]["dies"] = time.time() + self.life_ms / 1000
            self.refresh_tokens[made["refresh_token"]] = (user, device, token)
        return made

    def on_login(self, r):
        body = r["body"]
        user = body["identifier"]["user"]
        self.logins += 1
        if self.passwords.get(user) != body.get("password"):
            raise No(403, "M_FORBIDDEN")
        device = body.get("device_id")
        if not device:
            self.next_device += 1
            device = "NEWDEV%d" % self.next_device
        return self.new_session(user, device, body.get("refresh_token") is True)

    def on_refresh(self, r):
        """As Synapse: the old pair is good until the new one is used; a second time the old one makes
        another pair, and the unused one is no more."""
        old = r["body"]["refresh_token"]
        self.refreshes += 1
        if old not in self.refresh_tokens:
            raise unknown_token()
        user, device, token = self.refresh_tokens[old]
        for unused in [t for t, s in self.tokens.items() if s.get("after") == old]:
            del self.tokens[unused]
            self.refresh_tokens = {r: x for r, x in self.refresh_tokens.items() if x[2] != unused}
        made = self.new_session(user, device, True)
        self.tokens[made["access_token"]].update(after=old, before=token)
        return {k: made[k] for k in ("access_token", "refresh_token", "expires_in_ms")}

    def used(self, session):
        """The first use of a refreshed token ends its predecessor."""
        if session.get("after"):
            self.refresh_tokens.pop(session.pop("after"), None)
            self.tokens.pop(session.pop("before"), None)

    def delete_device(self, user, device):
        self.deleted.add((user, device))
        self.devices.get(user, {}).pop(device, None)
        self.pools.pop((user, device), None)
        self.fallback.pop((user, device), None)
        self.boxes.pop((user, device), None)
        self.tokens = {t: s for t, s in self.tokens.items()
                       if (s["user"], s["device"]) != (user, device)}
        self.changed.append(user)
        self.bump()

    def on_logout(self, r):
        self.delete_device(r["session"]["user"], r["session"]["device"])
        return {}

    def on_whoami(self, r):
        return {"user_id": r["session"]["user"], "device_id": r["session"]["device"],
                "is_guest": False}

    # ---- keys ----

    def to_device(self, sender, kind, body):
        with self.lock:
            answer = super().to_device(sender, kind, body)
            self.bump()
            return answer

    def upload(self, user, device, body):
        with self.lock:
            for key_id, key in body.get("one_time_keys", {}).items():
                have = self.pools.get((user, device), {}).get(key_id)
                if have and have != key:
                    raise No(400, "M_UNKNOWN", message="One time key already exists")
            before = self.devices.get(user, {}).get(device)
            answer = super().upload(user, device, body)
            if before and before == body.get("device_keys"):
                self.changed.pop()
            self.bump()
            return answer

    def on_keys(self, r, *_):
        user, device = r["session"]["user"], r["session"]["device"]
        if "/sendToDevice/" in r["path"]:
            if (device, r["path"]) in self.txns:
                return {}
            self.txns[device, r["path"]] = True
        if r["path"].endswith("/device_signing/upload"):
            known = self.identity.get(user)
            same = known and all(known[k]["keys"] == r["body"][k]["keys"] for k in
                                 ("master_key", "self_signing_key", "user_signing_key"))
            if same:
                return {}
            auth = r["body"].get("auth")
            if known and (not auth or auth.get("password") != self.passwords.get(user)):
                raise No(401, "M_FORBIDDEN", session="uia", params={},
                         flows=[{"stages": ["m.login.password"]}])
            r["body"].pop("auth", None)
        answer = self.serve(user, device, r["path"], r["body"])
        if r["path"].endswith(("/device_signing/upload", "/signatures/upload")):
            self.changed.append(user)
            self.bump()
        if r["path"].endswith("/keys/query"):
            answer = json.loads(json.dumps(answer))
        return answer

    # ---- rooms ----

    def need_joined(self, r, room):
        if room not in self.rooms or self.membership(room, r["session"]["user"]) != "join":
            raise No(403, "M_FORBIDDEN")
        if ("m.room.tombstone", "") in self.rooms[room]["state"] and "/send/" in r["path"]:
            raise No(403, "M_FORBIDDEN")

    def on_send(self, r, room, kind, txn):
        key = (r["session"]["device"], r["path"])
        if key in self.txns:
            return {"event_id": self.txns[key]}
        self.need_joined(r, room)
        if len(r["bytes"]) > 65000:
            raise No(413, "M_TOO_LARGE")
        if b"\\ud8" in r["bytes"].lower():
            self.violations.append("a lone surrogate was sent")
        encrypted = ("m.room.encryption", "") in self.rooms[room]["state"]
        if encrypted and kind not in ("m.room.encrypted", "m.reaction"):
            self.violations.append("%s in clear in an encrypted room" % kind)
        self.check_content(kind, r["body"])
        self.txns[key] = self.event(room, r["session"]["user"], kind, r["body"], raw={
            "unsigned": {"age": 1, "transaction_id": txn}})
        return {"event_id": self.txns[key]}

    def check_content(self, kind, content):
        if kind != "m.room.message":
            return
        if not isinstance(content.get("body"), str) or "msgtype" not in content:
            self.violations.append("a message without body or msgtype")
        html = content.get("formatted_body", "")
        tags = set(re.findall(r"</?([a-z0-9]+)", html))
        if tags - {"strong", "em", "code", "a", "br"}:
            self.violations.append("tags %r" % tags)

    def on_redact(self, r, room, event, txn):
        key = (r["session"]["device"], r["path"])
        if key not in self.txns:
            self.need_joined(r, room)
            for _, e in self.rooms[room]["timeline"]:
                if e["event_id"] == event:
                    e["content"] = {}
            self.txns[key] = self.event(room, r["session"]["user"], "m.room.redaction",
                                        {"redacts": event}, raw={"redacts": event})
        return {"event_id": self.txns[key]}

    def on_join(self, r, room):
        user = r["session"]["user"]
        if room in self.rooms and self.membership(room, user) == "join":
            return {"room_id": room}
        if room not in self.rooms or room not in self.public and self.membership(room, user) != "invite":
            raise No(403, "M_FORBIDDEN")
        self.invites.pop((user, room), None)
        self.member(room, user, "join")
        self.rooms[room].setdefault("joined", {})[user] = self.position
        return {"room_id": room}

    def on_create_room(self, r):
        user, body = r["session"]["user"], r["body"]
        room = self.room(user, encrypted=any(
            e["type"] == "m.room.encryption" for e in body.get("initial_state", [])))
        for who in body.get("invite", []):
            self.invite(room, user, body.get("is_direct", False), who)
        return {"room_id": room}

    def on_leave_room(self, r, room):
        if room not in self.rooms:
            raise No(404, "M_NOT_FOUND")
        if self.membership(room, r["session"]["user"]) in ("join", "invite"):
            self.leave(room, r["session"]["user"])
        return {}

    def on_forget(self, r, room):
        return {}

    def on_receipt(self, r, room, event):
        self.need_joined(r, room)
        self.receipts[room] = event
        return {}

    def on_type(self, r, room, user):
        self.typing.append(room)
        return {}

    def on_members(self, r, room):
        self.need_joined(r, room)
        return {"chunk": [e for (t, _), e in self.rooms[room]["state"].items()
                          if t == "m.room.member"]}

    def on_encryption(self, r, room):
        self.need_joined(r, room)
        event = self.rooms[room]["state"].get(("m.room.encryption", ""))
        if not event:
            raise No(404, "M_NOT_FOUND")
        return event["content"]

    def on_messages(self, r, room):
        self.need_joined(r, room)
        start = int(r["query"].get("from", "p%d" % (self.position + 1))[1:])
        end = int(r["query"]["to"][1:]) if r["query"].get("to") else 0
        types = json.loads(r["query"].get("filter", "{}")).get("types")
        limit = int(r["query"].get("limit", 10))
        found = [(p, e) for p, e in reversed(self.rooms[room]["timeline"]) if end < p < start and (not types or e["type"] in types)]
        answer = {"start": "p%d" % start, "chunk": [e for _, e in found[:limit]]}
        if len(found) > limit:
            answer["end"] = "p%d" % found[limit - 1][0]
        return answer

    def on_get_data(self, r, user, kind):
        if (user, kind) not in self.account_data:
            raise No(404, "M_NOT_FOUND")
        return self.account_data[user, kind][1]

    def on_put_data(self, r, user, kind):
        self.account_data[user, kind] = (self.bump(), r["body"])
        return {}

    # ---- what matrix-js-sdk asks besides ----

    def on_versions(self, r):
        return {"versions": ["v1.%d" % n for n in range(1, 13)], "unstable_features": {}}

    def on_capabilities(self, r):
        return {"capabilities": {}}

    def on_push_rules(self, r):
        return {"global": {kind: [] for kind in ("override", "content", "room", "sender", "underride")}}

    # ---- media ----

    def on_upload_media(self, r):
        self.next_media += 1
        name = "m%d" % self.next_media
        self.media[name] = (r["headers"].get("Content-Type"), r["bytes"],
                            r["query"].get("filename"))
        return {"content_uri": "mxc://h/" + name}

    def on_download(self, r, server, name):
        if name not in self.media:
            raise No(404, "M_NOT_FOUND")
        return self.media[name][0] or "application/octet-stream", self.media[name][1]

    # ---- sync ----

    def on_filter(self, r, user):
        text = json.dumps(r["body"], sort_keys=True)
        for number, known in self.filters.items():
            if json.dumps(known, sort_keys=True) == text:
                return {"filter_id": number}
        self.filters[str(len(self.filters))] = r["body"]
        return {"filter_id": str(len(self.filters) - 1)}

    def on_sync(self, r):
        since = None
        if r["query"].get("since") is not None:
            token = r["query"]["since"]
            while token in self.foreign and self.foreign[token] != token:
                token = self.foreign[token]
            if not re.fullmatch(r"s\d+", token):
                raise No(400, "M_UNKNOWN")
            since = int(token[1:])
        wanted = r["query"].get("filter", "{}")
        filter_ = json.loads(wanted) if wanted.startswith("{") else self.filters.get(wanted)
        if filter_ is None:
            raise No(404, "M_NOT_FOUND")
        end = time.time() + int(r["query"].get("timeout", 0)) / 1000
        with self.lock:
            self.open += 1
            try:
                while True:
                    if r["session"]["token"] not in self.tokens:
                        raise unknown_token()
                    if self.stuck:
                        return self.stuck
                    if self.stuck_at and r["query"].get("since") == self.stuck_at:
                        return {"next_batch": self.stuck_at}
                    answer, any_ = self.look(r["session"], since, filter_)
                    left = end - time.time()
                    if any_ or since is None or left <= 0:
                        return answer
                    self.lock.wait(min(left, 0.2))
            finally:
                self.open -= 1

    def mark(self, key, items):
        """Each item of a growing list gets the position at which it was first seen."""
        marks = self.marks.setdefault(key, [])
        if len(marks) < len(items):
            self.position += 1
        while len(marks) < len(items):
            marks.append(self.position)
        return marks

    def look(self, session, since, filter_):
        user, device = session["user"], session["device"]
        any_ = False
        join, invite, leave = {}, {}, {}
        for room in list(self.rooms):
            if self.membership(room, user) == "join":
                entry = self.look_room(room, user, since, filter_)
                if entry:
                    join[room] = entry
        for (who, room), (position, state) in self.invites.items():
            if who == user and (since is None or position > since):
                invite[room] = {"invite_state": {"events": state}}
        for (who, room), position in self.left.items():
            if who == user and since is not None and position > since:
                own = self.rooms[room]["state"]["m.room.member", user]
                leave[room] = {"timeline": {"events": [own], "limited": False, "prev_batch": "p0"},
                               "state": {"events": []}}
        box = self.boxes.get((user, device), [])
        marks = self.mark(("box", user, device), box)
        if since is not None:
            while box and marks[0] <= since:
                box.pop(0)
                marks.pop(0)
        changed = [u for u, p in zip(self.changed, self.mark("changed", self.changed))
                   if since is not None and p > since]
        answer = {"next_batch": "s%d" % self.position,
                  "device_one_time_keys_count":
                      {"signed_curve25519": len(self.pools.get((user, device), {}))},
                  "device_unused_fallback_key_types":
                      ["signed_curve25519"] if (user, device) in self.fallback else []}
        rooms = {k: v for k, v in (("join", join), ("invite", invite), ("leave", leave)) if v}
        if rooms:
            answer["rooms"] = rooms
        if box:
            answer["to_device"] = {"events": list(box)}
        data = [{"type": kind, "content": content} for (who, kind), (position, content)
                in self.account_data.items() if who == user and position > (since or 0)]
        if data and not filter_.get("account_data", {}).get("types"):
            answer["account_data"] = {"events": data}
        if changed:
            answer["device_lists"] = {"changed": sorted(set(changed)), "left": []}
        any_ = bool(rooms or box or changed or answer.get("account_data"))
        if not any_ and since is not None:
            answer["next_batch"] = "s%d" % since if since >= self.position else answer["next_batch"]
            any_ = answer["next_batch"] != "s%d" % since
        return json.loads(json.dumps(answer)), any_

    def look_room(self, room, user, since, filter_):
        r = self.rooms[room]
        line = filter_.get("room", {}).get("timeline", {})
        fresh = since is None or r.get("joined", {}).get(user, 0) > since
        events = [(p, e) for p, e in r["timeline"] if fresh or p > since]
        types = line.get("types")
        events = [(p, e) for p, e in events if not types or e["type"] in types]
        if not events and not fresh:
            return None
        limit = line.get("limit", 10)
        limited = len(events) > limit or (fresh and since is not None)
        shown = events[-limit:]
        before = shown[0][0] if shown else self.position + 1
        known = {id(e) for _, e in shown}
        wanted = filter_.get("room", {}).get("state", {}).get("types")
        state = [e for (t, _), e in r["state"].items()
                 if id(e) not in known and (not wanted or t in wanted)
                 and (fresh or any(p > since and e is x for p, x in r["timeline"]))]
        members = {k: e["content"]["membership"] for (t, k), e in r["state"].items()
                   if t == "m.room.member"}
        joined = [u for u, how in members.items() if how == "join"]
        invited = [u for u, how in members.items() if how == "invite"]
        return {"timeline": {"events": [e for _, e in shown], "limited": limited,
                             "prev_batch": "p%d" % before},
                "state": {"events": state},
                "summary": {"m.joined_member_count": len(joined),
                            "m.invited_member_count": len(invited),
                            "m.heroes": [u for u in joined + invited if u != user][:5]},
                "ephemeral": {"events": []}, "account_data": {"events": []},
                "unread_notifications": {"highlight_count": 0, "notification_count": 0}}


def main():
    server = Homeserver()
    print(server.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
