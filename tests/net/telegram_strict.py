"""A server that is stricter than telegram_server.py and behaves worse: every request is held against the
published description of the API (types too, to the bottom), and answers come in every shape HTTP allows.

    server = Strict(); server.manner = "gzip"; …
"""
import asyncio
import gzip
import json
import os

from telegram_server import No, Server

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = os.path.join(HERE, "../../../shared/data/telegram/api.json")
MANNERS = "plain chunked gzip gzip-chunked close drip pieces die-1 die-3 lower head-100".split()


def spec():
    """None where the description does not lie beside the project."""
    try:
        with open(SPEC, encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        return None


class Strict(Server):
    spec = spec()

    def __init__(self, **options):
        super().__init__(**options)
        self.manner = "plain"
        self.served = {}        # connection -> answers given
        self.raw = []           # every body as it came, to look for words in

    # ---- requests ----

    def _typed(self, method, known, arguments):
        if self.spec and method in self.spec["methods"]:
            self._fields(method, self.spec["methods"][method].get("fields", []), arguments)
        return super()._typed(method, known, arguments)

    def _fields(self, where, fields, value):
        known = {f["name"]: f for f in fields}
        for name, v in value.items():
            if name not in known:
                raise No(400, "Bad Request: unknown parameter %s.%s" % (where, name))
            if not any(self._is("%s.%s" % (where, name), t, v) for t in known[name]["types"]):
                raise No(400, "Bad Request: %s.%s has a wrong type: %r" % (where, name, v))
        for f in fields:
            if f["required"] and f["name"] not in value:
                raise No(400, "Bad Request: parameter %s.%s is missing" % (where, f["name"]))

    def _is(self, where, kind, v):
        if isinstance(v, dict) and set(v) == {"name", "bytes", "type"}:
            return kind == "InputFile"
        if kind.startswith("Array of "):
            return isinstance(v, list) and all(self._is(where, kind[9:], x) for x in v)
        if kind == "Integer":
            return isinstance(v, int) and not isinstance(v, bool) and abs(v) < 1 << 52
        if kind == "String":
            return isinstance(v, str)
        if kind == "Boolean":
            return isinstance(v, bool)
        if kind == "Float":
            return isinstance(v, (int, float)) and not isinstance(v, bool)
        if kind == "True":
            return v is True
        if kind == "InputFile":
            return isinstance(v, str)
        return isinstance(v, dict) and self._object(where, kind, v)

    def _object(self, where, kind, v):
        described = self.spec["types"][kind]
        kinds = described.get("subtypes") or [kind]
        tried = []
        for k in kinds:
            try:
                self._fields("%s(%s)" % (where, k), self.spec["types"][k].get("fields", []), v)
                return True
            except No as no:
                tried.append(str(no))
        raise No(400, tried[0])

    def _parts(self, kind, body):
        """In a form everything is text: a number that is none is found here."""
        found = super()._parts(kind, body)
        for name, v in found.items():
            if isinstance(v, str) and name in ("chat_id",):
                found[name] = int(v)
            elif isinstance(v, str) and name in ("disable_notification", "protect_content"):
                found[name] = {"true": True, "false": False}[v]
            elif isinstance(v, str) and name in ("reply_markup", "caption_entities",
                                                 "reply_parameters"):
                found[name] = json.loads(v)
        return found

    async def _read(self, reader):
        got = await super()._read(reader)
        self.raw.append(got[3])
        if len(got[3]) > 1 << 20 and b"multipart" not in str(got[2]).encode():
            self.violations.append("a request of %d bytes" % len(got[3]))
        if got[2].get("expect"):
            self.violations.append("Expect: " + got[2]["expect"])
        return got

    # ---- answers ----

    async def _answer(self, writer, answer, status=None, raw=None, kind="application/json"):
        if raw is None:
            raw = json.dumps(answer).encode()
            status = status or (200 if answer["ok"] else answer.get("error_code", 400))
        head = ["HTTP/1.1 %d %s" % (status, "X"), "Content-Type: " + kind]
        if status == 429 and isinstance(answer, dict) and "parameters" in answer:
            head.append("Retry-After: %d" % answer["parameters"].get("retry_after", 1))
        return await self._write(writer, head, raw, self.manner)

    async def _write(self, writer, head, raw, manner):
        n = self.served[writer] = self.served.get(writer, 0) + 1
        stays = not (manner == "close" or (manner.startswith("die") and n >= int(manner[4:])))
        if "gzip" in manner:
            raw = gzip.compress(raw)
            head.append("Content-Encoding: gzip")
        if "chunked" in manner:
            head.append("Transfer-Encoding: chunked")
            raw = b"".join(b"%x;x=y\r\n%s\r\n" % (len(raw[i:i + 7]), raw[i:i + 7])
                           for i in range(0, len(raw), 7)) + b"0\r\nTrailer: x\r\n\r\n"
        else:
            head.append("Content-Length: %d" % len(raw))
        if manner == "close":
            head.append("Connection: close")
        text = "\r\n".join(head) + "\r\n\r\n"
        text = text.lower().replace("http/", "HTTP/") if manner == "lower" else text
        whole = text.encode() + raw
        if manner == "head-100":
            whole = b"HTTP/1.1 100 Continue\r\n\r\n" + whole
        step = {"drip": max(1, len(whole) // 20), "pieces": max(1, len(whole) // 3)}.get(
            manner, len(whole))
        for i in range(0, len(whole), step):
            writer.write(whole[i:i + step])
            await writer.drain()
            if step < len(whole):
                await asyncio.sleep(0.01)
        return stays

    async def _faulty(self, writer, method, arguments, what, value, number):
        if what == "http":              # [status, headers, body]: nothing is done
            await self._write(writer, ["HTTP/1.1 %d X" % value[0]] + list(value[1]),
                              value[2].encode("utf-8", "surrogatepass"), "plain")
            return True
        if what == "done":              # done, and answered with this instead
            await self._do(method, arguments, writer)
            await self._write(writer, ["HTTP/1.1 %d X" % value[0]] + list(value[1]),
                              value[2].encode(), "plain")
            return True
        if what == "slow":              # done, and answered in so many seconds, byte by byte
            answer = await self._do(method, arguments, writer)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(raw))
            for i in range(len(raw)):
                writer.write(raw[i:i + 1])
                await writer.drain()
                await asyncio.sleep(value / len(raw))
            return True
        return await super()._faulty(writer, method, arguments, what, value, number)

    # ---- what is pushed ----

    def redeliver(self, updates):
        """The same bytes again, as a server does that lost the confirmation."""
        with self.lock:
            self.queue.extend(updates)
        self._poke()

    def words_in_requests(self, word):
        return [r for r in self.raw if word.encode() in r]


class Strange:
    """Objects of the description with every field, some of them as no server should send them."""

    def __init__(self, rng, described):
        self.rng, self.types = rng, described["types"]

    def value(self, kind, depth):
        rng = self.rng
        if kind.startswith("Array of "):
            return [self.value(kind[9:], depth + 1) for _ in range(rng.choice((0, 1, 2)))]
        if kind == "Integer":
            return rng.choice((0, 1, 77, -1, 2 ** 31, 2 ** 52 - 1, -2 ** 52, 2 ** 63, 10 ** 30))
        if kind == "String":
            return rng.choice(("", "x", "/help", "\u05e9\u05dc\u05d5\u05dd", "\ud800", "\udc00\ud800",
                               "a\u0000b", "\u202e\u2067\u2069\u2069", "y" * 50000,
                               "\U0001f600" * 900, "{\"update_id\":1}", "\\u0000"))
        if kind in ("Boolean", "True"):
            return rng.choice((True, False))
        if kind == "Float":
            return rng.choice((0.5, -1e300, 1e-300))
        return self.object(kind, depth + 1)

    def object(self, kind, depth=0):
        described = self.types.get(kind)
        if not described or depth > 6:
            return self.rng.choice((None, {}, [], 7, "x", [[[[]]]]))
        if described.get("subtypes"):
            return self.object(self.rng.choice(described["subtypes"]), depth)
        made = {}
        for f in described.get("fields", []):
            if f["required"] or self.rng.random() < (0.5 if depth < 2 else 0.1):
                made[f["name"]] = self.value(self.rng.choice(f["types"]), depth)
        return made
