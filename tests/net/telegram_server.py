#!/usr/bin/python3
"""A Bot API server on loopback that refuses what the documentation refuses, and keeps a ledger.

As a module:  server = Server(); server.start() -> address; server.say(7, "/start"); server.ledger(7)
As a program: telegram_server.py [PORT] prints the address as its first line; POST /_/CALL with a JSON
list of arguments calls the methods of Server marked `remote`.

Stricter than the real one on purpose (TELEGRAM.md 0.7): an unknown parameter, a wrong type or an
entity in the middle of a character is refused, and noted in `violations`, which must stay empty.
"""
import asyncio
import json
import os
import re
import sys
import threading
import time
import urllib.parse

TOKEN = "424242:AAcanary_TOKEN-never_in_a_log_0123456"
ID, STR, BOOL, JSON, FILE = "id", "str", "bool", "json", "file"

COMMON = {"disable_notification": BOOL, "protect_content": BOOL, "reply_parameters": JSON,
          "reply_markup": JSON, "message_thread_id": ID, "message_effect_id": STR}
CAPTION = {"caption": STR, "caption_entities": JSON, "parse_mode": STR}
# method: ({parameter: type}, required, idempotent)
METHODS = {
    "getMe": ({}, ()),
    "getUpdates": ({"offset": ID, "limit": ID, "timeout": ID, "allowed_updates": JSON}, ()),
    "deleteWebhook": ({"drop_pending_updates": BOOL}, ()),
    "getWebhookInfo": ({}, ()),
    "setMyCommands": ({"commands": JSON, "scope": JSON, "language_code": STR}, ("commands",)),
    "deleteMyCommands": ({"scope": JSON, "language_code": STR}, ()),
    "getMyCommands": ({"scope": JSON, "language_code": STR}, ()),
    "setMyDescription": ({"description": STR, "language_code": STR}, ()),
    "setMyShortDescription": ({"short_description": STR, "language_code": STR}, ()),
    "sendMessage": (dict(COMMON, chat_id=ID, text=STR, entities=JSON, parse_mode=STR,
                         link_preview_options=JSON), ("chat_id", "text")),
    "sendDocument": (dict(COMMON, **CAPTION, chat_id=ID, document=FILE), ("chat_id", "document")),
    "sendPhoto": (dict(COMMON, **CAPTION, chat_id=ID, photo=FILE), ("chat_id", "photo")),
    "sendAudio": (dict(COMMON, **CAPTION, chat_id=ID, audio=FILE, title=STR, performer=STR,
                       duration=ID), ("chat_id", "audio")),
    "sendVoice": (dict(COMMON, **CAPTION, chat_id=ID, voice=FILE, duration=ID),
                  ("chat_id", "voice")),
    "editMessageText": ({"chat_id": ID, "message_id": ID, "text": STR, "entities": JSON,
                         "parse_mode": STR, "link_preview_options": JSON, "reply_markup": JSON},
                        ("chat_id", "message_id", "text")),
    "editMessageCaption": (dict(CAPTION, chat_id=ID, message_id=ID, reply_markup=JSON),
                           ("chat_id", "message_id")),
    "editMessageReplyMarkup": ({"chat_id": ID, "message_id": ID, "reply_markup": JSON},
                               ("chat_id", "message_id")),
    "deleteMessage": ({"chat_id": ID, "message_id": ID}, ("chat_id", "message_id")),
    "answerCallbackQuery": ({"callback_query_id": STR, "text": STR, "show_alert": BOOL,
                             "cache_time": ID}, ("callback_query_id",)),
    "sendChatAction": ({"chat_id": ID, "action": STR}, ("chat_id", "action")),
    "leaveChat": ({"chat_id": ID}, ("chat_id",)),
    "getFile": ({"file_id": STR}, ("file_id",)),
    "getChat": ({"chat_id": ID}, ("chat_id",)),
}
LOWER = {m.lower(): m for m in METHODS}
ENTITY_TYPES = set("mention hashtag cashtag bot_command url email phone_number bold italic underline "
                   "strikethrough spoiler blockquote expandable_blockquote code pre text_link "
                   "text_mention custom_emoji".split())
BUTTON_ACTIONS = set("url callback_data web_app login_url switch_inline_query copy_text pay "
                     "switch_inline_query_current_chat switch_inline_query_chosen_chat "
                     "callback_game".split())
KINDS = set("message edited_message callback_query my_chat_member chat_join_request inline_query "
            "channel_post edited_channel_post chat_member message_reaction "
            "message_reaction_count".split())
WHERE = ("bold", "italic", "underline", "strikethrough", "spoiler", "text_link", "code", "pre")


class No(Exception):
    def __init__(self, code, text, **parameters):
        super().__init__(text)
        self.code, self.text, self.parameters = code, text, parameters


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def documented():
    """The parameters the published description of the API knows, when it lies beside the project."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../../shared/data/telegram/api.json")
    try:
        with open(path, encoding="utf-8") as f:
            methods = json.load(f)["methods"]
    except OSError:
        return None
    return {name: {p["name"] for p in m.get("fields", [])} for name, m in methods.items()}


class Server:
    def __init__(self, token=TOKEN, username="alum_bot", strict=True):
        self.token, self.username, self.strict = token, username, strict
        self.documented = documented()
        self.queue, self.next_id = [], 700000001
        self.chats = {}       # id -> state: "met" "unmet" "blocked" "deactivated" "kicked" or (moved, id)
        self.messages = {}    # id -> list of message dicts
        self.next_message = 1000
        self.next_callback, self.callbacks = 5000, {}
        self.files = {}       # file_id -> bytes
        self.menus, self.descriptions = {}, {}
        self.violations, self.requests, self.faults = [], [], []
        self.limited = []     # (chat, seconds, when)
        self.per_second = self.per_chat_second = 0
        self.times, self.chat_times = [], {}
        self.delay_s = 0
        self.webhook = False
        self.allowed = None
        self.poller = None
        self.polls = 0
        self.max_open = self.open = 0
        self.loop = self.wake = None
        self.thread = None
        self.address = None
        self.lock = threading.RLock()
        self.connections = set()
        self.last_offset = None
        self.hook = None      # called at each request: number, method, "before" or "after"
        self.count = 0

    # ---- life ----

    def start(self, port=0):
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(port, ready), daemon=True)
        self.thread.start()
        ready.wait(10)
        return self.address

    def _run(self, port, ready):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.wake = asyncio.Event()

        async def serve():
            self.server = await asyncio.start_server(self._client, "127.0.0.1", port, limit=1 << 26)
            self.port = self.server.sockets[0].getsockname()[1]
            self.address = "http://127.0.0.1:%d" % self.port
            ready.set()
        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    def down(self):
        """Nobody listens any more and every connection is cut."""
        done = threading.Event()

        def cut():
            self.server.close()
            for w in list(self.connections):
                w.transport.abort()
            done.set()
        self.loop.call_soon_threadsafe(cut)
        done.wait(5)

    def up(self):
        done = threading.Event()

        async def again():
            self.server = await asyncio.start_server(self._client, "127.0.0.1", self.port,
                                                     limit=1 << 26)
            done.set()
        self.loop.call_soon_threadsafe(lambda: self.loop.create_task(again()))
        done.wait(5)

    def cut_connections(self):
        self.loop.call_soon_threadsafe(lambda: [w.transport.abort() for w in list(self.connections)])

    # ---- what tests do (remote) ----

    def meet(self, chat, state="met"):
        with self.lock:
            self.chats[chat] = state

    def push(self, kind, body):
        with self.lock:
            update = {"update_id": self.next_id, kind: body}
            self.next_id += 1
            self.queue.append((update["update_id"], json.dumps(update).encode()))
        self._poke()
        return update["update_id"]

    def push_raw(self, text):
        """An update as it stands; ID in it becomes the next update_id."""
        with self.lock:
            self.queue.append((self.next_id, text.replace("ID", str(self.next_id)).encode()))
            self.next_id += 1
        self._poke()

    def user(self, who, language="en"):
        return {"id": who, "is_bot": False, "first_name": "Canary-Name-%d" % who,
                "language_code": language}

    def chat(self, chat):
        if chat > 0:
            return {"id": chat, "type": "private", "first_name": "Canary-Name-%d" % chat}
        return {"id": chat, "type": "supergroup", "title": "Canary-Title"}

    def say(self, who, text, chat=None, language="en", **more):
        chat = chat or who
        self.chats.setdefault(chat, "met")
        with self.lock:
            self.next_message += 1
            message = {"message_id": self.next_message, "from": self.user(who, language),
                       "chat": self.chat(chat), "date": int(time.time()), "text": text}
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0,
                                    "length": len(text.split()[0])}]
        message.update(more)
        return self.push("message", message)

    def press(self, who, message_id, data, chat=None):
        with self.lock:
            self.next_callback += 1
            ident = str(self.next_callback)
            self.callbacks[ident] = time.time()
        self.push("callback_query", {"id": ident, "from": self.user(who), "chat_instance": "1",
                                     "message": {"message_id": message_id, "date": 1,
                                                 "chat": self.chat(chat or who)}, "data": data})
        return ident

    def member(self, who, status, chat=None):
        self.chats[chat or who] = "met" if status in ("member", "administrator") else (
            "blocked" if not chat else "kicked")
        self.push("my_chat_member", {"chat": self.chat(chat or who), "from": self.user(who),
                                     "date": int(time.time()),
                                     "old_chat_member": {"status": "member", "user": {"id": 424242}},
                                     "new_chat_member": {"status": status, "user": {"id": 424242}}})

    def fault(self, method, what, times=1, value=None, chat=None):
        with self.lock:
            self.faults.append({"method": method, "what": what, "times": times, "value": value,
                                "chat": chat})

    def restart_ids(self, first):
        with self.lock:
            self.next_id = first

    def limits(self, per_second, per_chat_second):
        self.per_second, self.per_chat_second = per_second, per_chat_second

    def ledger(self, chat):
        with self.lock:
            return [dict(m) for m in self.messages.get(chat, [])]

    def texts(self, chat):
        return [m.get("text", m.get("caption")) for m in self.ledger(chat)]

    def report(self):
        with self.lock:
            return {"violations": list(self.violations), "queue": len(self.queue),
                    "polls": self.polls, "requests": len(self.requests),
                    "messages": sum(len(m) for m in self.messages.values())}

    remote = ("meet push push_raw say press member fault restart_ids limits ledger texts report "
              "down up cut_connections").split()

    def wait(self, condition, seconds=10):
        """True once the condition holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.01)
        return bool(condition())

    def wait_texts(self, chat, count, seconds=10):
        self.wait(lambda: len(self.ledger(chat)) >= count, seconds)
        return self.texts(chat)

    def _poke(self):
        if self.loop:
            self.loop.call_soon_threadsafe(self.wake.set)

    # ---- HTTP ----

    async def _client(self, reader, writer):
        self.connections.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _read(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        verb, target, _ = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, v in (h.split(":", 1) for h in lines[1:] if h)}
        body = b""
        if "chunked" in headers.get("transfer-encoding", ""):
            while True:
                size = int((await reader.readline()).split(b";")[0], 16)
                body += (await reader.readexactly(size + 2))[:-2]
                if not size:
                    break
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        return verb, target, headers, body

    async def _one(self, reader, writer):
        verb, target, headers, body = await self._read(reader)
        url = urllib.parse.urlsplit(urllib.parse.unquote(target.split("?")[0]) +
                                    ("?" + target.split("?", 1)[1] if "?" in target else ""))
        if url.path.startswith("/_/"):
            return await self._remote(writer, url.path[3:], body)
        if url.path.startswith("/file/bot%s/" % self.token):
            data = self.files.get(url.path.rsplit("/", 1)[1], b"")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            await writer.drain()
            return True
        match = re.fullmatch(r"/bot([^/]*)/(\w+)", url.path)
        if not match:
            return await self._answer(writer, {"ok": False, "error_code": 404,
                                               "description": "Not Found"})
        if match[1] != self.token:
            return await self._answer(writer, {"ok": False, "error_code": 401,
                                               "description": "Unauthorized"})
        method = LOWER.get(match[2].lower())
        if not method:
            self.violations.append("unknown method " + match[2])
            return await self._answer(writer, {"ok": False, "error_code": 404,
                                               "description": "Not Found: method not found"})
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        try:
            return await self._method(writer, method, url.query, headers, body)
        finally:
            self.open -= 1

    async def _remote(self, writer, name, body):
        result = None
        if name in self.remote:
            result = getattr(self, name)(*json.loads(body or b"[]"))
        return await self._answer(writer, {"ok": name in self.remote, "result": result})

    async def _answer(self, writer, answer, status=None, raw=None, kind="application/json"):
        if raw is None:
            raw = json.dumps(answer).encode()
            status = status or (200 if answer["ok"] else answer.get("error_code", 400))
        extra = ""
        if status == 429 and isinstance(answer, dict):
            extra = "Retry-After: %d\r\n" % answer["parameters"]["retry_after"]
        writer.write(("HTTP/1.1 %d X\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n" % (
            status, kind, extra, len(raw))).encode() + raw)
        await writer.drain()
        return True

    def _fault(self, method, arguments):
        with self.lock:
            for f in self.faults:
                if f["method"] in (method, "*") and f["times"] > 0 and (
                        f["chat"] is None or str(f["chat"]) == str(arguments.get("chat_id"))):
                    f["times"] -= 1
                    return f["what"], f["value"]
        return None, None

    async def _method(self, writer, method, query, headers, body):
        arguments = None
        try:
            arguments = self._arguments(method, query, headers, body)
        except No as no:
            self.violations.append("%s: %s" % (method, no))
            return await self._answer(writer, {"ok": False, "error_code": no.code,
                                               "description": no.text})
        with self.lock:
            self.requests.append((time.time(), method, arguments.get("chat_id")))
            self.count += 1
            number = self.count
        if self.hook:
            self.hook(number, method, "before")
        what, value = self._fault(method, arguments)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return await self._faulty(writer, method, arguments, what, value, number)

    async def _faulty(self, writer, method, arguments, what, value, number):
        html = b"<html><body>502 Bad Gateway</body></html>"
        if what == "delay":
            await asyncio.sleep(value)
        elif what == "before":          # read, not done, no answer
            writer.transport.abort()
            return False
        elif what == "502":
            return await self._answer(writer, None, 502, html, "text/html")
        elif what == "no":              # [code, text, parameters]
            answer = {"ok": False, "error_code": value[0], "description": value[1]}
            if len(value) > 2:
                answer["parameters"] = value[2]
            return await self._answer(writer, answer)
        elif what == "raw":             # a 200 with these bytes
            return await self._answer(writer, None, 200, value.encode("utf-8", "surrogatepass"))
        elif what == "silent":
            await asyncio.sleep(value)
            writer.transport.abort()
            return False
        answer = await self._do(method, arguments, writer)
        if self.hook:
            self.hook(number, method, "after")
        if what == "after":             # done, no answer
            writer.transport.abort()
            return False
        if what == "half":
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(raw) +
                         raw[:len(raw) // 2])
            await writer.drain()
            writer.transport.abort()
            return False
        if what == "after502":
            return await self._answer(writer, None, 502, html, "text/html")
        if what == "after500":
            return await self._answer(writer, {"ok": False, "error_code": 500,
                                               "description": "Internal Server Error: restart"})
        if what == "empty":
            return await self._answer(writer, None, 200, b"")
        if isinstance(answer, bytes):
            return await self._answer(writer, None, 200, answer)
        return await self._answer(writer, answer)

    # ---- parameters ----

    def _arguments(self, method, query, headers, body):
        known = METHODS[method][0]
        arguments = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        kind = headers.get("content-type", "")
        if body and kind.startswith("application/json"):
            try:
                given = json.loads(body.decode("utf-8"))
            except UnicodeDecodeError:
                raise No(400, "Bad Request: strings must be encoded in UTF-8")
            except ValueError:
                raise No(400, "Bad Request: can't parse JSON object")
            arguments.update(given)
        elif body and kind.startswith("multipart/form-data"):
            arguments.update(self._parts(kind, body))
        elif body and kind.startswith("application/x-www-form-urlencoded"):
            arguments.update(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        elif body:
            raise No(400, "Bad Request: content type " + kind)
        return self._typed(method, known, arguments)

    def _typed(self, method, known, arguments):
        typed = {}
        for name, value in arguments.items():
            unknown = name not in known
            if self.documented and method in self.documented:
                unknown = name not in self.documented[method]
            if unknown:
                if self.strict:
                    raise No(400, "Bad Request: unknown parameter " + name)
                continue
            typed[name] = self._value(name, known.get(name, JSON), value)
        for name in METHODS[method][1]:
            if typed.get(name) in (None, ""):
                raise No(400, "Bad Request: parameter %s is missing" % name)
        return typed

    def _value(self, name, kind, value):
        try:
            if kind == ID and not isinstance(value, bool):
                return int(value)
            if kind == BOOL and str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
            if kind == STR and isinstance(value, str):
                return value
            if kind == JSON:
                return json.loads(value) if isinstance(value, str) else value
            if kind == FILE:
                return value
        except ValueError:
            pass
        raise No(400, "Bad Request: parameter %s has a wrong type" % name)

    def _parts(self, kind, body):
        boundary = re.search(r'boundary="?([^";]+)', kind)[1].encode()
        found = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, data = part[2:].split(b"\r\n\r\n", 1)
            data = data[:-2]
            name = re.search(rb'name="([^"]*)"', head)[1].decode()
            file = re.search(rb'filename="([^"]*)"', head)
            if file:
                mime = re.search(rb"(?i)content-type: *([^\r\n]+)", head)
                found[name] = {"name": file[1].decode(), "bytes": data,
                               "type": mime[1].decode() if mime else ""}
            else:
                found[name] = data.decode("utf-8")
        return found

    # ---- methods ----

    async def _do(self, method, arguments, writer):
        try:
            if method == "getUpdates":
                return await self._get_updates(arguments, writer)
            with self.lock:
                result = getattr(self, "_" + method, self._true)(arguments)
            return {"ok": True, "result": result}
        except No as no:
            quiet = no.code in (403, 429, 409) or re.search(
                "not found|not modified|too old|upgraded|no text in", no.text)
            if not quiet:
                self.violations.append("%s: %s" % (method, no.text))
            answer = {"ok": False, "error_code": no.code, "description": no.text}
            if no.parameters:
                answer["parameters"] = no.parameters
            return answer

    def _true(self, arguments):
        return True

    def _getMe(self, arguments):
        return {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "Alum",
                "username": self.username, "can_join_groups": True,
                "can_read_all_group_messages": False, "supports_inline_queries": False}

    def _deleteWebhook(self, arguments):
        if arguments.get("drop_pending_updates"):
            self.violations.append("deleteWebhook drops updates")
        self.webhook = False
        return True

    def _getWebhookInfo(self, arguments):
        return {"url": "", "has_custom_certificate": False, "pending_update_count": 0}

    async def _get_updates(self, a, writer):
        if self.webhook:
            raise No(409, "Conflict: can't use getUpdates method while webhook is active; use "
                          "deleteWebhook to delete the webhook first")
        self._check_poll(a)
        self.polls += 1
        mine = self.poller = object()
        limit = min(max(a.get("limit", 100), 1), 100)
        offset, timeout = a.get("offset", 0), min(max(a.get("timeout", 0), 0), 50)
        with self.lock:
            self._confirm(offset)
        end = time.monotonic() + timeout
        while True:
            with self.lock:
                some = self.queue[:limit]
            left = end - time.monotonic()
            if some or left <= 0:
                break
            self.wake.clear()
            try:
                await asyncio.wait_for(self.wake.wait(), min(left, 0.2))
            except asyncio.TimeoutError:
                pass
            if self.poller is not mine:
                raise No(409, "Conflict: terminated by other getUpdates request; make sure that "
                              "only one bot instance is running")
            if writer.transport.is_closing():
                break
        return b'{"ok":true,"result":[' + b",".join(u for _, u in some) + b"]}"

    def _check_poll(self, a):
        allowed = a.get("allowed_updates")
        if allowed is not None and (not isinstance(allowed, list) or set(allowed) - KINDS):
            raise No(400, "Bad Request: allowed_updates")
        if a.get("timeout", 0) > 50 or not 1 <= a.get("limit", 100) <= 100:
            raise No(400, "Bad Request: limit or timeout")

    def _confirm(self, offset):
        """TQueue's rules: what is far ahead is ignored, what is a little ahead drops what comes."""
        self.last_offset = offset
        if offset < 0:
            self.violations.append("a negative offset drops updates")
        tail = self.next_id
        if offset <= 0 or offset > tail + 10:
            return
        if offset > tail:
            self.violations.append("offset beyond the tail: %d > %d" % (offset, tail))
        self.queue = [(i, u) for i, u in self.queue if i >= offset]

    def _chat_of(self, a):
        chat = a["chat_id"]
        state = self.chats.get(chat)
        if isinstance(state, (list, tuple)):
            raise No(400, "Bad Request: group chat was upgraded to a supergroup chat",
                     migrate_to_chat_id=state[1])
        if state is None:
            raise No(400, "Bad Request: chat not found")
        refusals = {"unmet": "bot can't initiate conversation with a user",
                    "blocked": "bot was blocked by the user",
                    "deactivated": "user is deactivated",
                    "kicked": "bot was kicked from the supergroup chat"}
        if state in refusals:
            raise No(403, "Forbidden: " + refusals[state])
        return chat

    def _rate(self, chat):
        now = time.monotonic()
        self.times = [t for t in self.times if t > now - 1]
        mine = self.chat_times[chat] = [t for t in self.chat_times.get(chat, []) if t > now - 1]
        if (self.per_second and len(self.times) >= self.per_second) or (
                self.per_chat_second and len(mine) >= self.per_chat_second):
            self.limited.append((chat, 1, now))
            raise No(429, "Too Many Requests: retry after 1", retry_after=1)
        self.times.append(now)
        mine.append(now)

    def _check_text(self, text, limit, what):
        if len(text.encode("utf-8")) > 32768:
            raise No(400, "Bad Request: text is too long")
        if len(text) > limit:
            raise No(400, "Bad Request: %s is too long" % what)
        if re.search("[\u2028-\u202e\x00-\x08\x0b-\x1f]", text):
            raise No(400, "Bad Request: characters that Telegram removes")
        if text != text.strip():
            raise No(400, "Bad Request: text with space around it")
        depth = 0
        for c in text:
            depth += (c in "\u2066\u2067\u2068") - (c == "\u2069")
            if depth < 0:
                raise No(400, "Bad Request: an isolate that was never opened")
        if depth:
            raise No(400, "Bad Request: an isolate that is not closed")

    def _check_entities(self, text, entities):
        if entities is None:
            return
        if not isinstance(entities, list) or len(entities) > 100:
            raise No(400, "Bad Request: can't parse entities: too many")
        if len(json.dumps(entities)) > 12000:
            raise No(400, "Bad Request: ENTITIES_TOO_LONG")
        total = utf16(text)
        borders, at = {0}, 0
        for c in text:
            at += 2 if ord(c) > 0xffff else 1
            borders.add(at)
        for e in entities:
            if e.get("type") not in ENTITY_TYPES or set(e) - {"type", "offset", "length", "url",
                                                              "user", "language"}:
                raise No(400, "Bad Request: can't parse entities: type")
            start, stop = e["offset"], e["offset"] + e["length"]
            if e["length"] <= 0 or start < 0 or stop > total:
                raise No(400, "Bad Request: can't parse entities: out of the text")
            if start not in borders:
                raise No(400, "Bad Request: Entity begins in a middle of a UTF-16 symbol")
            if stop not in borders:
                raise No(400, "Bad Request: Entity ends in a middle of a UTF-16 symbol")
            if (e["type"] == "text_link") != ("url" in e):
                raise No(400, "Bad Request: can't parse entities: url")
        self._check_nesting(entities)

    def _check_nesting(self, entities):
        spans = [(e["offset"], e["offset"] + e["length"], e["type"]) for e in entities]
        for i, (a, b, kind) in enumerate(spans):
            for c, d, other in spans[i + 1:]:
                if a < c < b < d or c < a < d < b:
                    raise No(400, "Bad Request: can't parse entities: overlap")
                if (kind in ("code", "pre") or other in ("code", "pre")) and max(a, c) < min(b, d):
                    raise No(400, "Bad Request: can't parse entities: inside code")

    def _check_markup(self, markup):
        if markup is None:
            return
        if not isinstance(markup, dict) or set(markup) != {"inline_keyboard"}:
            if set(markup) & {"keyboard", "remove_keyboard", "force_reply"}:
                return
            raise No(400, "Bad Request: object expected as reply markup")
        if len(json.dumps(markup, ensure_ascii=False).encode()) > 10240:
            raise No(400, "Bad Request: reply markup is too long")
        rows = markup["inline_keyboard"]
        if sum(len(r) for r in rows) > 100 or any(not 1 <= len(r) <= 8 for r in rows):
            raise No(400, "Bad Request: keyboard too big")
        for button in (b for row in rows for b in row):
            actions = set(button) & BUTTON_ACTIONS
            if self.strict and set(button) - BUTTON_ACTIONS - {"text", "style",
                                                               "icon_custom_emoji_id"}:
                raise No(400, "Bad Request: unknown field of a button")
            if not button.get("text") or len(actions) != 1:
                raise No(400, "Bad Request: Text buttons are unallowed in the inline keyboard")
            data = button.get("callback_data", "x")
            if not 1 <= len(data.encode()) <= 64:
                raise No(400, "Bad Request: BUTTON_DATA_INVALID")
            if "url" in button and not re.match(r"(https?|tg)://", button["url"]):
                raise No(400, "Bad Request: BUTTON_URL_INVALID")

    def _check_more(self, a):
        options = a.get("link_preview_options")
        if options is not None and set(options) - {"is_disabled", "url", "prefer_small_media",
                                                   "prefer_large_media", "show_above_text"}:
            raise No(400, "Bad Request: link_preview_options")
        reply = a.get("reply_parameters")
        if reply is not None and (set(reply) - {"message_id", "chat_id", "quote",
                                                "allow_sending_without_reply"} or
                                  not isinstance(reply.get("message_id"), int)):
            raise No(400, "Bad Request: reply_parameters")

    def _send(self, a, content):
        chat = self._chat_of(a)
        self._check_markup(a.get("reply_markup"))
        self._check_more(a)
        self._rate(chat)
        self.next_message += 1
        message = dict(content, message_id=self.next_message)
        for name in ("reply_markup", "protect_content", "disable_notification",
                     "reply_parameters"):
            if name in a:
                message[name] = a[name]
        message["at"] = time.time()
        self.messages.setdefault(chat, []).append(message)
        return message, chat

    def _shown(self, message, chat):
        shown = {k: v for k, v in message.items() if k in (
            "message_id", "text", "caption", "document", "photo", "audio", "voice", "entities",
            "caption_entities", "reply_markup")}
        return dict(shown, date=int(time.time()), chat=self.chat(chat),
                    **{"from": {"id": 424242, "is_bot": True, "first_name": "Alum",
                                "username": self.username}})

    def _content(self, a, key, entities, limit, what):
        text = a.get(key, "")
        self._check_text(text, limit, what)
        if "parse_mode" not in a:
            self._check_entities(text, a.get(entities))
        return {key: text, entities: a.get(entities, [])} if text else {}

    def _sendMessage(self, a):
        content = self._content(a, "text", "entities", 4096, "message")
        if not content:
            raise No(400, "Bad Request: message text is empty")
        return self._shown(*self._send(a, content))

    def _file(self, a, field):
        content = self._content(a, "caption", "caption_entities", 1024, "message caption")
        file = a[field]
        if isinstance(file, str):
            if file not in self.files:
                raise No(400, "Bad Request: wrong file identifier/HTTP URL specified: not found")
            ident = file
        else:
            ident = "F%d-%d" % (len(self.files), len(file["bytes"]))
            self.files[ident] = file["bytes"]
            content["uploaded"] = {"name": file["name"], "type": file["type"],
                                   "bytes": len(file["bytes"])}
        kind = {"file_id": ident, "file_unique_id": "U" + ident, "file_size":
                len(self.files[ident])}
        content[field] = [dict(kind, width=1, height=1)] if field == "photo" else dict(
            kind, **({"duration": 1} if field in ("audio", "voice") else {}))
        return self._shown(*self._send(a, content))

    def _sendDocument(self, a):
        return self._file(a, "document")

    def _sendPhoto(self, a):
        return self._file(a, "photo")

    def _sendAudio(self, a):
        return self._file(a, "audio")

    def _sendVoice(self, a):
        return self._file(a, "voice")

    def _message_of(self, a, what):
        chat = self._chat_of(a)
        for m in self.messages.get(chat, []):
            if m["message_id"] == a["message_id"] and not m.get("deleted"):
                return m, chat
        raise No(400, "Bad Request: message to %s not found" % what)

    def _edit(self, a, key, entities, limit):
        content = self._content(a, key, entities, limit, "message")
        m, chat = self._message_of(a, "edit")
        if key == "text" and "text" not in m:
            raise No(400, "Bad Request: there is no text in the message to edit")
        self._check_markup(a.get("reply_markup"))
        before = json.dumps([m.get(key), m.get(entities), m.get("reply_markup")])
        if before == json.dumps([content.get(key), content.get(entities), a.get("reply_markup")]):
            raise No(400, "Bad Request: message is not modified: specified new message content "
                          "and reply markup are exactly the same as a current content and reply "
                          "markup of the message")
        m.pop("reply_markup", None)
        m.update(content, edited=m.get("edited", 0) + 1)
        if "reply_markup" in a:
            m["reply_markup"] = a["reply_markup"]
        return self._shown(m, chat)

    def _editMessageText(self, a):
        return self._edit(a, "text", "entities", 4096)

    def _editMessageCaption(self, a):
        return self._edit(a, "caption", "caption_entities", 1024)

    def _deleteMessage(self, a):
        m, _ = self._message_of(a, "delete")
        m["deleted"] = True
        return True

    def _answerCallbackQuery(self, a):
        if len(a.get("text", "")) > 200:
            raise No(400, "Bad Request: MESSAGE_TOO_LONG")
        if self.callbacks.pop(a["callback_query_id"], None) is None:
            raise No(400, "Bad Request: query is too old and response timeout expired or query ID "
                          "is invalid")
        return True

    def _language(self, a):
        code = a.get("language_code", "")
        if not re.fullmatch("|[a-z]{2}", code):
            raise No(400, "Bad Request: invalid language code specified")
        return code

    def _scope(self, a):
        scope = a.get("scope", {"type": "default"})
        if scope["type"] not in ("default", "all_private_chats", "all_group_chats", "chat",
                                 "all_chat_administrators", "chat_administrators", "chat_member"):
            raise No(400, "Bad Request: unsupported bot command scope")
        if (scope["type"].startswith("chat")) != ("chat_id" in scope):
            raise No(400, "Bad Request: scope needs a chat")
        return scope["type"], scope.get("chat_id")

    def _setMyCommands(self, a):
        commands = a["commands"]
        if len(commands) > 100:
            raise No(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        for c in commands:
            if set(c) != {"command", "description"} or not re.fullmatch(
                    "[a-z0-9_]{1,32}", c["command"]):
                raise No(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(c["description"].strip()) <= 256:
                raise No(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.menus[self._scope(a) + (self._language(a),)] = commands
        return True

    def _deleteMyCommands(self, a):
        self.menus.pop(self._scope(a) + (self._language(a),), None)
        return True

    def _getMyCommands(self, a):
        return self.menus.get(self._scope(a) + (self._language(a),), [])

    def _setMyDescription(self, a):
        if len(a.get("description", "")) > 512:
            raise No(400, "Bad Request: BOT_DESCRIPTION_TOO_LONG")
        self.descriptions["long", self._language(a)] = a.get("description", "")
        return True

    def _setMyShortDescription(self, a):
        if len(a.get("short_description", "")) > 120:
            raise No(400, "Bad Request: BOT_SHORT_DESCRIPTION_TOO_LONG")
        self.descriptions["short", self._language(a)] = a.get("short_description", "")
        return True

    def _sendChatAction(self, a):
        self._chat_of(a)
        if a["action"] not in ("typing", "upload_photo", "upload_document", "record_voice"):
            raise No(400, "Bad Request: wrong parameter action in request")
        return True

    def _leaveChat(self, a):
        self.chats[self._chat_of(a)] = "kicked"
        return True

    def _getFile(self, a):
        if a["file_id"] not in self.files:
            raise No(400, "Bad Request: wrong file_id or the file is temporarily unavailable; "
                          "not found")
        return {"file_id": a["file_id"], "file_unique_id": "u",
                "file_size": len(self.files[a["file_id"]]), "file_path": "x/" + a["file_id"]}

    def _getChat(self, a):
        return self.chat(self._chat_of(a))


def main():
    server = Server()
    print(server.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
