#!/usr/bin/python3
"""The whole bot and a person in Element: npm's matrix-js-sdk with its Rust crypto, which excludes insecure
devices. With the tests' homeserver, or with a real one:

  MATRIX_HOMESERVER=http://127.0.0.1:8008 MATRIX_BOT=@bot:localhost MATRIX_BOT_PASSWORD=… \\
  MATRIX_PEER=@noor:localhost MATRIX_PEER_PASSWORD=… tests/net/test_matrix_sdk.py

With MATRIX_REGISTER, Synapse's registration_shared_secret, in place of the four each test has new accounts.
The bot speaks through matrix_proxy, which counts, records and holds back."""
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_bot import PROGRAM, Bot, expect, run  # noqa: E402
from matrix_proxy import Proxy  # noqa: E402
from matrix_server import BOT, NOOR, PASSWORD, Homeserver  # noqa: E402

ADDRESS = os.environ.get("MATRIX_HOMESERVER")
BOT_USER = os.environ.get("MATRIX_BOT", BOT)
BOT_PASSWORD = os.environ.get("MATRIX_BOT_PASSWORD", PASSWORD)
PEER = os.environ.get("MATRIX_PEER", NOOR)
PEER_PASSWORD = os.environ.get("MATRIX_PEER_PASSWORD", "peer")
SDK, VERSION = "build/node-sdk", "matrix-js-sdk@37.5.0"  # the newest that Node 20 runs
VALIDATE = "../shared/tools/matrix-validate"
NO_SHIELD = 0


def register(name):
    """A new account at Synapse, as its own tool makes them."""
    address = ADDRESS + "/_synapse/admin/v1/register"
    with urllib.request.urlopen(address) as answer:
        nonce = json.load(answer)["nonce"]
    mac = hmac.new(os.environ["MATRIX_REGISTER"].encode(), "\0".join(
        [nonce, name, "word of " + name, "notadmin"]).encode(), hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": name, "password": "word of " + name, "admin": False, "mac": mac}
    with urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), {
            "Content-Type": "application/json"})) as answer:
        return json.load(answer)["user_id"], body["password"]


def accounts():
    global BOT_USER, BOT_PASSWORD, PEER, PEER_PASSWORD
    if os.environ.get("MATRIX_REGISTER"):
        mark = "%x" % time.time_ns()
        BOT_USER, BOT_PASSWORD = register("bot" + mark)
        PEER, PEER_PASSWORD = register("noor" + mark)


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if os.path.isdir(SDK + "/node_modules/matrix-js-sdk"):
        return None
    os.makedirs(SDK, exist_ok=True)
    with open(SDK + "/package.json", "w") as f:
        f.write("{}")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", VERSION], cwd=SDK,
                              timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "npm did not end"
    return None if done.returncode == 0 else "npm could not install " + VERSION


class Person:
    """One device of the peer's."""

    def __init__(self, address, **how):
        self.address, self.errors = address, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["node", "tests/net/matrix_sdk.mjs"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, stderr=self.errors,
                                        env=dict(os.environ, SDK=os.path.abspath(SDK)))
        self.device = self.ask("open", address=address, user=PEER, **{"pass": PEER_PASSWORD}, **how)["device"]

    def ask(self, what, **order):
        try:
            self.process.stdin.write(json.dumps(dict(order, do=what)) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = None
        answer = json.loads(line) if line else {"error": "the peer ended: " + self.last_words()}
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError("%s: %s" % (what, answer["error"]))
        return answer

    def last_words(self):
        status = self.process.wait()
        self.errors.seek(0)
        return "%s, %s" % (status, self.errors.read()[:1500])

    def room(self, **how):
        return self.ask("room", invite=BOT_USER, **how)["room_id"]

    def say(self, room, text, **how):
        return self.ask("say", room=room, text=text, **how)["event_id"]

    def heard(self, room, count, ms=60000):
        """What the bot said, as Element shows it: all readable, all encrypted, no warning."""
        said = self.ask("until_heard", room=room, of=BOT_USER, count=count, ms=ms)
        good = [e for e in said if not e["failed"]]
        assert len(good) >= count, "%d readable, wanted %d: %r" % (len(good), count, said)
        for event in good:
            expect((event["wire"], event["shield"]), ("m.room.encrypted", NO_SHIELD))
        return [e["content"] for e in good]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.errors.close()


class World:
    def __enter__(self):
        accounts()
        self.server, self.people = None, []
        self.address = ADDRESS
        if not self.address:
            self.server = Homeserver()
            self.server.life_ms = 0
            self.server.passwords[PEER] = PEER_PASSWORD
            self.address = self.server.start()
        self.proxy = Proxy(self.address)
        self.bot = Bot(self.proxy.address, token=None, password=BOT_PASSWORD, user=BOT_USER)
        self.start()
        return self

    def start(self):
        self.bot.start()
        assert self.bot.ready(), self.bot.said()[-3000:]
        self.wait(lambda: "not yet signed" not in self.bot.command("status").stdout, "not signed")

    def person(self, **how):
        self.people.append(Person(self.address, **how))
        return self.people[-1]

    @staticmethod
    def wait(condition, why, seconds=30):
        end = time.time() + seconds
        while not condition():
            assert time.time() < end, why
            time.sleep(0.05)

    def __exit__(self, kind, value, trace):
        if kind is not None and os.environ.get("SHOW"):
            print("# " + self.bot.said()[-3000:].replace("\n", "\n# "))
        for person in self.people:
            person.close()
        self.bot.end()
        self.proxy.close()
        if self.server:
            self.server.close()
            assert kind or not self.server.violations, self.server.violations
        clear = [path for path, body in self.proxy.sent if "/send/m.room.encrypted/" not in path
                 or set(body) - {"algorithm", "sender_key", "ciphertext", "session_id", "device_id",
                                 "m.relates_to"}]
        assert kind or not clear, "readable in an encrypted room: %r" % clear


def matrix_sdk_both_ways_excluding_insecure_devices():
    with World() as w:
        noor = w.person()
        room = noor.room()
        for n, word in enumerate(("!help", "!events", "!podcast", "!partners")):
            noor.say(room, word)
            body = noor.heard(room, n + 1)[n]["body"]
            assert len(body) > 20, body
        assert "!start" in noor.heard(room, 4)[0]["body"]


def matrix_sdk_is_answered_in_its_thread():
    """The relation stands outside the ciphertext, where servers and clients look for it."""
    with World() as w:
        noor = w.person()
        room = noor.room()
        root = noor.say(room, "!help")
        noor.heard(room, 1)
        asked = noor.say(room, "!events", thread=root)
        noor.heard(room, 2)
        noor.say(room, "!podcast")
        noor.heard(room, 3)
        said = noor.ask("heard", room=room, of=BOT_USER)
        expect([e["thread"] for e in said], [None, {
            "rel_type": "m.thread", "event_id": root, "is_falling_back": True,
            "m.in_reply_to": {"event_id": asked}}, None])


def matrix_sdk_an_insecure_device_hears_nothing():
    """A device that its owner has not signed: no key goes there, and no word of it is taken."""
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)
        spy = w.person(signed=False, strict=False)
        noor.say(room, "!events")
        noor.heard(room, 2)
        got = spy.ask("until_heard", room=room, of=BOT_USER, count=1, ms=3000)
        assert got and all(e["failed"] for e in got), got
        spy.say(room, "!role")
        time.sleep(2)
        expect(len(noor.heard(room, 2)), 2)


def matrix_sdk_restarted_and_killed():
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)
        for n in range(4):
            if n % 2:
                w.bot.kill()
            else:
                expect(w.bot.stop()[0], 0)
            noor.say(room, "!events")
            w.start()
            noor.heard(room, n + 2)
        time.sleep(1)
        expect(len(noor.heard(room, 5)), 5)


def matrix_sdk_killed_in_the_key_exchange():
    """At each request in turn (some of them, unless LONG): one answer comes, and only one."""
    with World() as w:
        noor = w.person()
        w.bot.kill()
        w.proxy.count = 0
        w.start()
        noor.heard(ask_help(noor), 1)
        length = w.proxy.count
        print("# %d requests" % length)
        for number in range(1, length + 1, 1 if os.environ.get("LONG") else 5):
            for when in ("before", "after"):
                w.bot.kill()
                w.bot.end()
                w.bot = Bot(w.proxy.address, token=None, password=BOT_PASSWORD, user=BOT_USER)
                w.proxy.count = 0
                w.proxy.hook = killer(w, number, when)
                w.bot.start()
                # A bot without its state has another identity: its peer must have heard of it.
                w.wait(lambda: " good" in w.bot.command("status").stdout and
                       "not yet signed" not in w.bot.command("status").stdout,
                       "not signed %s %d" % (when, number), 60)
                noor.ask("look", user=BOT_USER)
                room = ask_help(noor)
                noor.heard(room, 1)
                w.proxy.hook = None
                time.sleep(0.3)
                expect((number, when, len(noor.heard(room, 1))), (number, when, 1))


def ask_help(noor):
    room = noor.room()
    noor.say(room, "!help")
    return room


def killer(w, number, when):
    done = []

    def hook(count, method, path, moment):
        if count >= number and moment == when and not done:
            done.append(path)
            w.bot.process.kill()
            w.bot.process.wait()
            w.bot.start()
    return hook


def matrix_sdk_an_old_state_makes_a_new_device_and_says_so():
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)
        w.bot.stop()
        w.bot.keep_state()
        w.start()
        for n in range(3):
            noor.say(room, "!events")
            noor.heard(room, 2 + n)
        w.bot.stop()
        w.bot.restore_state()
        w.start()
        w.wait(lambda: said(noor, room, "new keys"), "nothing was said")
        assert "new device" in w.bot.command("status").stdout, w.bot.command("status").stdout
        count = len(noor.heard(room, 5))
        noor.say(room, "!podcast")
        noor.heard(room, count + 1)


def matrix_sdk_an_old_state_without_password_ends_with_77():
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)
        w.bot.stop()
        with urllib.request.urlopen(urllib.request.Request(
                w.address + "/_matrix/client/v3/login", method="POST",
                headers={"Content-Type": "application/json"}, data=json.dumps({
                    "type": "m.login.password", "password": BOT_PASSWORD,
                    "identifier": {"type": "m.id.user", "user": BOT_USER}}).encode())) as answer:
            token = json.load(answer)["access_token"]
        w.bot.configure(token)
        w.start()
        noor.say(room, "!help")
        w.wait(lambda: said(noor, room, "!start") == 2 and said(noor, room, "new keys") == 1, "not heard")
        w.bot.stop()
        w.bot.keep_state()
        w.start()
        for n in range(2):
            noor.say(room, "!events")
            w.wait(lambda: said(noor, room, "No event") == n + 1, "not heard")
        w.bot.stop()
        w.bot.restore_state()
        w.bot.start()
        expect(w.bot.process.wait(30), 77)
        assert "password_file" in w.bot.said(), w.bot.said()[-1000:]
        w.bot.configure(token, BOT_PASSWORD)
        w.start()
        w.wait(lambda: said(noor, room, "new keys") == 2, "nothing was said")


def said(noor, room, words):
    return sum(words in c["body"] for c in noor.heard(room, 1))


def matrix_sdk_adds_a_device_logs_out_and_in():
    with World() as w:
        first = w.person(secrets="made")
        room = first.room()
        first.say(room, "!help")
        first.heard(room, 1)
        second = w.person(secrets=first.ask("recovery"))
        second.say(room, "!events")
        first.heard(room, 2)
        second.heard(room, 1)
        key = first.ask("recovery")
        first.ask("logout")
        second.say(room, "!podcast")
        second.heard(room, 2)
        third = w.person(secrets=key)
        third.say(room, "!partners")
        third.heard(room, 1)
        second.heard(room, 3)


def matrix_sdk_leaves():
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)
        noor.ask("leave", room=room)
        w.wait(lambda: any(r["path"].endswith("/leave") and r["status"] == 200 for r in w.proxy.requests),
               "the bot stays alone")
        count = len(w.proxy.sent)
        time.sleep(1)
        expect(len(w.proxy.sent), count)


def matrix_sdk_comes_back_after_being_erased():
    """The same device, whose sessions the bot has forgotten: the first word in the new chat is read."""
    if not os.environ.get("LONG"):
        print("# the farewell takes ten minutes: only with LONG=1")
        return
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!forgetme")
        noor.heard(room, 1)
        noor.say(room, "1")
        noor.heard(room, 2)
        w.wait(lambda: any(r["path"].endswith("/leave") and r["status"] == 200 for r in w.proxy.requests),
               "no farewell", 700)
        room = noor.room()
        time.sleep(3)
        noor.say(room, "!help")
        assert "cannot be read" not in noor.heard(room, 1)[0]["body"]


def matrix_sdk_when_one_time_keys_are_used_up():
    with World() as w:
        noor = w.person()
        w.bot.stop()
        for n in range(60):
            noor.ask("claim", user=BOT_USER)
        noor.ask("room", invite=BOT_USER, alone=True)
        w.start()
        room = noor.room()
        noor.say(room, "!help")
        noor.heard(room, 1)


def matrix_sdk_what_cannot_be_read_is_read_later():
    with World() as w:
        noor = w.person()
        room = noor.room()
        w.proxy.holding = True
        noor.say(room, "!help")
        time.sleep(3)
        expect(noor.ask("heard", room=room, of=BOT_USER), [])
        w.proxy.holding = False
        noor.say(room, "!events")
        noor.heard(room, 2)


def matrix_sdk_what_cannot_be_read_is_said():
    with World() as w:
        noor = w.person()
        room = noor.room()
        w.proxy.holding = True
        noor.say(room, "!help")
        said = noor.heard(room, 1, 60000)
        assert "cannot be read" in said[0]["body"], said
        w.proxy.holding = False
        noor.say(room, "!events")
        noor.heard(room, 3)


def matrix_sdk_gets_files():
    with World() as w:
        noor = w.person()
        room = noor.room()
        noor.say(room, "!mydata")
        w.wait(lambda: any("file" in c for c in noor.heard(room, 1)), "no file")
        content = [c for c in noor.heard(room, 1) if "file" in c][0]
        got = noor.ask("fetch", file=content["file"])
        assert isinstance(json.loads(got["text"]), dict), got
        assert "{" not in got["raw"][:1]


def matrix_sdk_says_what_the_specification_says():
    with World() as w:
        noor = w.person()
        room = noor.room()
        for n, word in enumerate(("!help", "!mydata", "!language")):
            noor.say(room, word)
            noor.heard(room, n + 1)
        noor.ask("leave", room=room)
        w.wait(lambda: any(r["path"].endswith("/leave") for r in w.proxy.requests), "stays")
        time.sleep(0.5)
    if not os.path.exists(VALIDATE):
        print("# skipped: the specification's schemas are not there")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        for r in w.proxy.requests:
            if "/media/" not in r["path"]:
                f.write(json.dumps(r) + "\n")
        f.flush()
        p = subprocess.run([sys.executable, "-W", "ignore", VALIDATE, f.name,
                            "tests/net/matrix_keys_exceptions"], capture_output=True, text=True)
    for line in (p.stdout + p.stderr).splitlines():
        print("# " + line)
    expect(p.returncode, 0)


def main():
    tests = [f for name, f in globals().items() if name.startswith("matrix_sdk_") and callable(f)]
    only = os.environ.get("ONLY", "")
    missing = "%s is not built" % PROGRAM if not os.path.exists(PROGRAM) else None
    if not missing and any(only in t.__name__ for t in tests):
        missing = install()
    if missing:
        print("# skipped: %s" % missing)
        for n, test in enumerate([t for t in tests if only in t.__name__], 1):
            print("ok %d - %s # skip %s" % (n, test.__name__, missing))
        return 0
    return run(tests)


sys.exit(main())
