"""The whole bot as a service against the homeserver of matrix_server: what the tests share."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix_server import BOT, NOOR, PASSWORD, TOKEN, Homeserver  # noqa: E402,F401

PROGRAM = os.environ.get("BOT", "build/san/alumhub-bot")
CONFIG = """[bot]
database = bot.db
key_file = key
languages = en ar he
quiet_hours = 00:00-00:00
[content]
words = {root}/config/words
partners = {root}/config/partners.json
[matrix]
homeserver = {address}
user = {user}
per_minute = 600000
encryption = {encryption}
{secrets}
{more}
"""


class Bot:
    def __init__(self, address, token=TOKEN, password=None, encryption="on", more="", user=BOT):
        self.folder = tempfile.mkdtemp(prefix="matrix-bot-", dir="build")
        self.settings = {"root": os.getcwd(), "address": address, "encryption": encryption,
                         "more": more, "user": user}
        self.write("key", "0123456789abcdef0123456789abcdef")
        self.configure(token, password)
        self.process = None
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.abspath(self.path("notify")))
        self.notify.settimeout(20)

    def configure(self, token=None, password=None, **settings):
        self.settings.update(settings)
        secrets = []
        for name, value in (("access_token", token), ("password", password)):
            if value:
                self.write(name, value + "\n")
                secrets.append("%s_file = %s" % (name, name))
        self.write("bot.ini", CONFIG.format(secrets="\n".join(secrets), **self.settings))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)

    def start(self, **how):
        self.notify.setblocking(False)
        try:
            while self.notify.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.notify.settimeout(20)
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", self.path("bot.ini"), "run"], stdout=out, stderr=out, **how,
                env=dict(os.environ, NOTIFY_SOCKET=os.path.abspath(self.path("notify"))))
        return self

    def ready(self):
        while True:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return True
            except socket.timeout:
                return False

    def command(self, *words):
        return subprocess.run([PROGRAM, "--config", self.path("bot.ini"), *words], timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            return "no end within 10 s", 10
        return status, time.monotonic() - start

    def said(self):
        with open(self.path("out"), errors="replace") as f:
            return f.read()

    def keep_state(self, name="kept"):
        shutil.rmtree(self.path(name), ignore_errors=True)
        os.mkdir(self.path(name))
        for file in os.listdir(self.folder):
            if file.startswith("bot.db"):
                shutil.copy(self.path(file), os.path.join(self.path(name), file))

    def restore_state(self, name="kept"):
        for file in os.listdir(self.folder):
            if file.startswith("bot.db"):
                os.unlink(self.path(file))
        for file in os.listdir(self.path(name)):
            shutil.copy(os.path.join(self.path(name), file), self.path(file))

    def end(self):
        if self.process:
            self.kill()
        self.notify.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class World:
    def __init__(self, start=True, server=None, **options):
        self.options, self.begin = options, start
        self.server = server or Homeserver()

    def __enter__(self):
        self.bot = Bot(self.server.start(), **self.options)
        if self.begin:
            self.bot.start()
            assert self.bot.ready(), "no READY=1: " + self.bot.said()[-3000:]
        return self.server, self.bot

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self.bot.process.poll() is None:
                status, seconds = self.bot.stop()
                assert status == 0, "exit %r: %s" % (status, self.bot.said()[-3000:])
                assert seconds < 5, "SIGTERM took %.1f s" % seconds
            if kind is None:
                assert not self.server.violations, self.server.violations
                for canary in (TOKEN, PASSWORD, "syt_canary", "syr_canary"):
                    assert canary not in self.bot.said(), "a secret was printed"
            elif os.environ.get("SHOW"):
                print("# " + self.bot.said()[-6000:].replace("\n", "\n# "))
                print("# " + "\n# ".join(self.server.paths[-60:]))
        finally:
            self.bot.end()
            self.server.close()


def expect(got, wanted):
    assert got == wanted, "got %r, wanted %r" % (got, wanted)


def run(tests):
    only = os.environ.get("ONLY", "")
    bad = 0
    for number, test in enumerate([t for t in tests if only in t.__name__], 1):
        start = time.time()
        try:
            test()
            print("ok %d - %s # %.1f s" % (number, test.__name__, time.time() - start), flush=True)
        except Exception as why:  # noqa: BLE001: whatever a peer or a file refuses is a failure
            bad += 1
            text = "%s: %s" % (type(why).__name__, why)
            print("not ok %d - %s\n# %s" % (number, test.__name__, text.replace("\n", "\n# ")),
                  flush=True)
    return 1 if bad else 0
