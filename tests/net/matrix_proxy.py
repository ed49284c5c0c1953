"""Stands between the bot and a homeserver: counts requests, can act at each, keeps what was said, and can
hold back what is meant for the bot's device. So any server can be used for what needs a fake otherwise."""
import http.client
import http.server
import json
import socketserver
import threading
import urllib.parse


class Proxy:
    def __init__(self, target):
        self.target = urllib.parse.urlsplit(target).netloc
        self.lock, self.count, self.hook = threading.Lock(), 0, None
        self.requests, self.sent, self.holding, self.held = [], [], False, []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_any(self):
                try:
                    proxy.pass_on(self)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.httpd = Threads(("127.0.0.1", 0), Handler)
        self.address = "http://127.0.0.1:%d" % self.httpd.server_address[1]
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()

    def pass_on(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        method, path = h.command, urllib.parse.urlsplit(h.path).path
        with self.lock:
            self.count += 1
            number = self.count
        self.act(number, method, path, "before")
        upstream = http.client.HTTPConnection(self.target, timeout=70)
        upstream.request(method, h.path, body or None, {
            k: v for k, v in h.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")})
        got = upstream.getresponse()
        payload = got.read()
        upstream.close()
        payload = self.note(method, path, body, got.status, payload)
        self.act(number, method, path, "after")
        h.send_response(got.status)
        for name in ("Content-Type", "Retry-After"):
            if got.headers.get(name):
                h.send_header(name, got.headers[name])
        h.send_header("Content-Length", str(len(payload)))
        h.end_headers()
        h.wfile.write(payload)

    def act(self, number, method, path, when):
        if self.hook:
            self.hook(number, method, path, when)

    def note(self, method, path, body, status, payload):
        try:
            said, answer = json.loads(body) if body else None, json.loads(payload)
        except ValueError:
            return payload
        with self.lock:
            self.requests.append({"m": method, "path": path, "body": said, "status": status, "resp": answer})
            if "/send/" in path:
                self.sent.append((path, said))
            if path.endswith("/sync") and status == 200:
                payload = json.dumps(self.box(answer)).encode()
        return payload

    def box(self, answer):
        """To-device messages wait while `holding`, and come with the first answer after."""
        events = answer.get("to_device", {}).get("events", [])
        if self.holding:
            known = [json.dumps(e) for e in self.held]
            self.held += [e for e in events if json.dumps(e) not in known]
            events = []
        else:
            events, self.held = self.held + events, []
        answer["to_device"] = {"events": events}
        return answer
