#!/usr/bin/python3
"""A loopback HTTP server that misbehaves on request. Prints its port; ends with standard input.
An argument is the path of a UNIX socket: a SOCKS5 proxy that answers by itself.

The path says what happens: see DOES below. /count/KEY tells how many requests with KEY as the last
part of their path were read whole. /kept/RUN.N keeps what came, which /what/RUN tells line by line.
"""
import collections
import gzip
import os
import socket
import struct
import sys
import threading
import time

counts = collections.Counter()
lock = threading.Lock()


class End(Exception):
    pass


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.served = 0
        self.buffer = b""

    def read_until(self, test):
        while not test(self.buffer):
            more = self.sock.recv(65536)
            if not more:
                raise End
            self.buffer += more

    def read_chunked(self):
        body = b""
        while True:
            self.read_until(lambda b: b"\r\n" in b)
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            size = int(line, 16)
            self.read_until(lambda b: len(b) >= size + 2)
            body += self.buffer[:size]
            self.buffer = self.buffer[size + 2:]
            if size == 0:
                return body

    def request(self):
        self.read_until(lambda b: b"\r\n\r\n" in b)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = lines[0].split(" ", 2)
        self.headers = {k.strip().lower(): v.strip()
                        for k, _, v in (line.partition(":") for line in lines[1:])}
        if self.headers.get("transfer-encoding") == "chunked":
            self.body = self.read_chunked()
        else:
            size = int(self.headers.get("content-length", 0))
            self.read_until(lambda b: len(b) >= size)
            self.body, self.buffer = self.buffer[:size], self.buffer[size:]
        with lock:
            counts[self.path.rsplit("/", 1)[1]] += 1

    def reply(self, body=b"ok", status="200 OK", headers=()):
        if isinstance(body, str):
            body = body.encode()
        head = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *headers]
        self.sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        self.served += 1

    def end(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise End


def silent(c):
    time.sleep(30)


def drip(c):
    c.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        c.sock.sendall(b".")
        time.sleep(0.02)


def chunks(c, piece, count):
    for _ in range(count):
        c.sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    c.sock.sendall(b"0\r\n\r\n")


def flood(c):
    c.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks(c, b"x" * 65536, 400)


def bomb(c):
    body = gzip.compress(b"\0" * 50_000_000, 9)
    c.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n")
    chunks(c, body, 1)


def die(c):
    """Reads a request on a connection that served before, and dies without a word."""
    if c.served == 0:
        c.reply("fresh")
    else:
        c.end()


def raw(text):
    def does(c):
        c.sock.sendall(text)
        c.end()
    return does


def redirect(c):
    n = int(c.path.rsplit("/", 1)[1])
    c.reply("", "302 Found", ["Location: /redirect/%d" % (n - 1) if n > 0 else "Location: /ok"])


def chain(c):
    """/chain/301.308.302/x: these redirects one after another, then an answer."""
    codes, _, rest = c.path[len("/chain/"):].partition("/")
    first, _, others = codes.partition(".")
    if not first:
        c.reply("arrived")
        return
    c.reply("", first + " Moved", ["Location: /chain/" + others + "/" + rest])


def elsewhere(c):
    c.reply("", "302 Found", ["Location: " + c.headers["x-to"]])


def form(c):
    kind = c.headers.get("content-type", "")
    boundary = kind.partition("boundary=")[2].encode()
    parts = c.body.split(b"--" + boundary)
    c.reply("%d %d" % (len(parts) - 2, len(c.body)) + " %s" % (b"calendar" in c.body))


kept = collections.defaultdict(list)


def keep(c):
    """What came, in one line; a form without its boundary, which is another each time."""
    run, _, n = c.path.rsplit("/", 1)[1].partition(".")
    kind, _, boundary = c.headers.get("content-type", "-").partition("boundary=")
    body = c.body.replace(boundary.encode(), b"") if boundary else c.body
    line = "|".join((n, c.method, "proxied" if c.target else "direct", kind, c.headers.get("authorization", "-"),
                     c.headers.get("user-agent", "-"), body.decode("latin-1").replace("\r\n", " ")))
    with lock:
        kept[run].append(line)


DOES = {
    "kept": lambda c: (keep(c), c.reply("here")),
    "last": lambda c: (keep(c), c.end()),
    "hop": lambda c: c.reply("", "302 Found", ["Location: /kept/" + c.path.rsplit("/", 1)[1]]),
    "what": lambda c: c.reply("\n".join(kept[c.path.rsplit("/", 1)[1]])),
    "ok": lambda c: c.reply(),
    "echo": lambda c: c.reply(c.body),
    "method": lambda c: c.reply(c.method),
    "header": lambda c: c.reply(c.headers.get("x-wanted", "-") + "|" +
                                c.headers.get("authorization", "-") + "|" +
                                c.headers.get("content-type", "-") + "|" +
                                c.headers.get("expect", "-")),
    "slow": lambda c: (time.sleep(0.15), c.reply(c.path.rsplit("/", 1)[1])),
    "silent": silent,
    "drip": drip,
    "flood": flood,
    "bomb": bomb,
    "packed": lambda c: c.reply(gzip.compress(b"packed"), headers=["Content-Encoding: gzip"]),
    "reset": lambda c: c.end(reset=True),
    "close": lambda c: c.end(),
    "die": die,
    "html": lambda c: c.reply("<html>Bad Gateway</html>", "502 Bad Gateway"),
    "empty": lambda c: c.reply("", "413 Payload Too Large"),
    "halfhead": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConte"),
    "headline": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"),
    "halfbody": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "halfchunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf"),
    "untilclose": raw(b"HTTP/1.0 200 OK\r\n\r\nto the end"),
    "nonsense": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "redirect": redirect,
    "elsewhere": elsewhere,
    "chain": chain,
    "cached": lambda c: c.reply("", "304 Not Modified", ["ETag: \"abc\"", "Last-Modified: today"]),
    "later": lambda c: c.reply("{}", "429 Too Many Requests",
                               ["Retry-After: 7", "Content-Type: application/json"]),
    "count": lambda c: c.reply(str(counts[c.path.rsplit("/", 1)[1]] - 1)),
    "form": form,
    "proxied": lambda c: c.reply(c.target),
}


def serve(sock, target=None):
    c = Connection(sock)
    c.target = target
    try:
        while True:
            c.request()
            DOES[c.path.split("/")[1]](c)
    except (End, OSError):
        pass
    sock.close()


def socks(sock):
    def take(n):
        got = b""
        while len(got) < n:
            more = sock.recv(n - len(got))
            if not more:
                raise End
            got += more
        return got

    methods = take(2)[1]
    take(methods)
    sock.sendall(b"\x05\x00")
    head = take(5)
    target = take(head[4] if head[3] == 3 else 3).decode("latin-1")
    port, = struct.unpack(">H", take(2))
    sock.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
    serve(sock, "%s:%d" % (target, port))


def listen_socks(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    while True:
        threading.Thread(target=socks, args=(listener.accept()[0],), daemon=True).start()


def end(path):
    sys.stdin.read()
    if path:
        os.unlink(path)
    os._exit(0)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else None
    if path:
        threading.Thread(target=listen_socks, args=(path,), daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=end, args=(path,), daemon=True).start()
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


main()
