#!/usr/bin/python3
"""The split: `alumhub-bot egress` as a program, TLS end to end through it, and the whole bot behind it."""
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from telegram_server import Server, TOKEN  # noqa: E402

BOT = os.environ.get("BOT", "build/san/alumhub-bot")
CONFIG = """[bot]
database = bot.db
key_file = key
[content]
words = {root}/config/words
partners = {root}/config/partners.json
[telegram]
token_file = token
api_root = {api}
[egress]
socket = egress
{more}
"""


class World:
    def __init__(self, api, more=""):
        self.folder = tempfile.mkdtemp(prefix="egress-", dir="build")
        self.api, self.processes = api, []
        self.configure(more)
        self.write("key", "0123456789abcdef0123456789abcdef")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)

    def configure(self, more):
        self.write("bot.ini", CONFIG.format(root=os.getcwd(), api=self.api, more=more))

    def start(self, command):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        place = os.path.abspath(self.path("notify-%d" % len(self.processes)))
        notify.bind(place)
        notify.settimeout(20)
        with open(self.path(command + ".out"), "ab") as out:
            p = subprocess.Popen([BOT, "--config", self.path("bot.ini"), command], stdout=out,
                                 stderr=out, env=dict(os.environ, NOTIFY_SOCKET=place))
        self.processes.append(p)
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()
        return p

    def said(self, command):
        with open(self.path(command + ".out"), errors="replace") as f:
            return f.read()

    def ask(self, host, port):
        """A connection through the proxy, and what SOCKS answered."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.path("egress"))
        name = host.encode()
        s.sendall(b"\5\1\0\5\1\0\3" + bytes([len(name)]) + name + struct.pack(">H", port))
        got = b""
        while len(got) < 12:
            more = s.recv(12 - len(got))
            if not more:
                break
            got += more
        return s, got[3] if len(got) > 3 else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def end_well(process, seconds=5):
    process.send_signal(signal.SIGTERM)
    assert process.wait(seconds) == 0, "exit %r" % process.returncode


def authority(world):
    """A test authority and a certificate for localhost."""
    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=world.folder)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days",
        "2", "-subj", "/CN=Test authority")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "s.key", "-out", "s.csr", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    run("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
        "2", "-copy_extensions", "copyall", "-out", "s.pem")


def tls_server(world, answers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.path("s.pem"), world.path("s.key"))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for _ in range(answers):
            try:
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True) as s:
                    s.recv(4096)
                    s.sendall(b"HTTP/1.0 200 OK\r\n\r\nwhole")
            except (OSError, ssl.SSLError):
                pass
        listener.close()
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def egress_carries_tls_end_to_end():
    with World("https://localhost:1") as w:
        authority(w)
        port = tls_server(w, 2)
        w.configure("allow = localhost:%d" % port)
        p = w.start("egress")
        s, code = w.ask("localhost", port)
        assert code == 0, code
        context = ssl.create_default_context(cafile=w.path("ca.pem"))
        with context.wrap_socket(s, server_hostname="localhost") as t:
            t.sendall(b"GET / HTTP/1.0\r\n\r\n")
            got = b""
            while more := t.recv(4096):
                got += more
        assert got.endswith(b"whole"), got
        # libcurl's own way, as the bot goes it
        if shutil.which("curl"):
            done = subprocess.run(
                ["curl", "-s", "--max-time", "15", "--cacert", w.path("ca.pem"), "--proxy",
                 "socks5h://localhost" + os.path.abspath(w.path("egress")),
                 "https://localhost:%d/" % port], capture_output=True)
            assert done.stdout == b"whole", (done.returncode, done.stderr)
        end_well(p)


def egress_refuses_the_others_and_says_which():
    with World("http://127.0.0.1:9") as w:
        p = w.start("egress")
        for host, port in (("example.org", 443), ("169.254.169.254", 80), ("127.0.0.1", 22),
                           ("localhost", 9), ("metadata.internal", 80)):
            s, code = w.ask(host, port)
            assert code == 2, (host, code)
            assert not s.recv(1), "the connection did not end"
            s.close()
        s, code = w.ask("127.0.0.1", 9)  # on the list, and nobody is there
        assert code == 5, code
        s.close()
        assert "egress.refused host=example.org port=443 why=list" in w.said("egress"), w.said("egress")
        w.configure("allow = localhost:9")
        p.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while time.monotonic() < end and "egress.reloaded" not in w.said("egress"):
            time.sleep(0.02)
        s, code = w.ask("localhost", 9)
        assert code == 5, code
        s.close()
        end_well(p)


def egress_needs_no_state_and_no_secret():
    with World("http://127.0.0.1:9") as w:
        os.unlink(w.path("key"))
        p = w.start("egress")
        assert not os.path.exists(w.path("token"))
        held = [os.readlink("/proc/%d/fd/%s" % (p.pid, f)) for f in os.listdir("/proc/%d/fd" % p.pid)]
        files = [f for f in held if f.startswith("/") and not f.startswith("/dev/")
                 and not f.endswith("egress.out")]
        assert not files, files
        end_well(p)
        assert sorted(os.listdir(w.folder)) == ["bot.ini", "egress", "egress.out", "notify-0"], \
            os.listdir(w.folder)


def egress_many_at_once_leave_room_for_nobody_longer():
    with World("http://127.0.0.1:9") as w:
        p = w.start("egress")
        crowd = []
        for _ in range(150):
            s = socket.socket(socket.AF_UNIX)
            s.connect(w.path("egress"))
            crowd.append(s)
        time.sleep(0.3)
        for s in crowd:
            s.close()
        s, code = w.ask("127.0.0.1", 9)
        assert code == 5, code
        s.close()
        end_well(p)


def egress_wrong_entries_are_named_by_check():
    with World("http://127.0.0.1:9", "allow = cdn.example.org *.example.net:8443") as w:
        w.write("token", TOKEN)
        good = subprocess.run([BOT, "--config", w.path("bot.ini"), "check"], capture_output=True, text=True)
        assert good.returncode == 0, good
        w.configure("allow = https://example.org")
        bad = subprocess.run([BOT, "--config", w.path("bot.ini"), "check"], capture_output=True, text=True)
        assert bad.returncode == 78 and "expected HOST" in bad.stderr, bad
        p = subprocess.run([BOT, "--config", w.path("bot.ini"), "egress"], capture_output=True, text=True)
        assert p.returncode == 78 and "expected HOST" in p.stderr, p


def egress_carries_the_whole_bot():
    server = Server()
    with World(server.start()) as w:
        w.write("token", TOKEN)
        way = w.start("egress")
        bot = w.start("run")
        server.say(7, "/help")
        assert server.wait(lambda: server.ledger(7)), "no answer through the proxy"
        # the way out dies: what people write meanwhile is answered when it is back
        way.kill()
        way.wait()
        had = len(server.ledger(7))
        server.say(7, "/help")
        time.sleep(1)
        assert len(server.ledger(7)) == had, "the bot went out by itself"
        way = w.start("egress")
        assert server.wait(lambda: len(server.ledger(7)) > had, 30), "deaf after the proxy came back"
        end_well(bot)
        end_well(way)
        assert not server.violations, server.violations
        for name in ("egress", "run"):
            assert TOKEN.split(":")[1] not in w.said(name), "the token was printed"


def main():
    failed = 0
    only = os.environ.get("ONLY", "")
    tests = [f for name, f in globals().items() if name.startswith("egress_")]
    for n, test in enumerate([t for t in tests if only in t.__name__], 1):
        try:
            test()
            print("ok %d - %s" % (n, test.__name__), flush=True)
        except Exception as why:
            failed = 1
            print("not ok %d - %s\n# %r" % (n, test.__name__, why), flush=True)
    return failed


sys.exit(main())
