"""Element's own encryption (npm's matrix-sdk-crypto-wasm, by way of matrix_element.js) as somebody the
bot talks to. `server` is a Server of matrix_keys or a Homeserver of matrix_server."""
import json
import os
import shutil
import subprocess

from matrix_keys import BOT, NOOR, ROOM

NODE = "build/node-matrix"
PACKAGE = "@matrix-org/matrix-sdk-crypto-wasm"
PATHS = ["/keys/upload", "/keys/query", "/keys/claim", "/x/x/x/sendToDevice/%s/t", "/signatures/upload"]
NO_SHIELD = 2


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if os.path.isdir("%s/node_modules/%s" % (NODE, PACKAGE)):
        return None
    os.makedirs(NODE, exist_ok=True)
    with open(NODE + "/package.json", "w") as f:
        f.write("{}")
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE], cwd=NODE,
                              timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "npm did not end"
    return None if done.returncode == 0 else "npm could not install it"


class Element:
    def __init__(self, server, device="ELEMENT", signed=True):
        self.server, self.device, self.since = server, device, 0
        self.process = subprocess.Popen(
            ["node", "tests/net/matrix_element.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, NODE_PATH=os.path.abspath(NODE + "/node_modules")))
        self.ask(do="open", user=NOOR, device=device)
        self.ask(do="room", id=ROOM)
        self.ask(do="track", users=[BOT, NOOR])
        self.run()
        if signed:
            self.sign()
        self.sync()

    def ask(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def send(self, request):
        path = PATHS[request["type"]]
        if request["type"] == 3:
            path %= request["kind"]
        answer = self.server.serve(NOOR, self.device, path, request["body"])
        if request.get("id"):
            self.ask(do="sent", id=request["id"], type=request["type"], answer=answer)

    def run(self):
        for request in self.ask(do="outgoing"):
            self.send(request)

    def sign(self):
        parts = self.ask(do="identity")
        if parts["keys"]:
            self.send(parts["keys"])
        self.server.serve(NOOR, self.device, "/device_signing/upload", parts["identity"])
        self.send(parts["signatures"])
        self.server.changed.append(NOOR)

    def sync(self):
        changed = self.server.changed[self.since:]
        self.since = len(self.server.changed)
        got = self.ask(do="sync", events=self.server.boxes.pop((NOOR, self.device), []), changed=changed,
                       count=len(self.server.pools.get((NOOR, self.device), {})),
                       unused=["signed_curve25519"])
        self.run()
        return got

    def say(self, text, event_id):
        missing = self.ask(do="missing", users=[BOT])
        if missing:
            self.send(missing)
        for request in self.ask(do="share", users=[BOT], strict=True):
            self.send(request)
        content = self.ask(do="encrypt", kind="m.room.message",
                           content={"msgtype": "m.text", "body": text})
        return {"type": "m.room.encrypted", "event_id": event_id, "sender": NOOR, "room_id": ROOM,
                "origin_server_ts": 1790000000000, "content": content}

    def read(self, sealed, event_id):
        return self.ask(do="decrypt", strict=True, event={
            "type": "m.room.encrypted", "event_id": event_id, "sender": BOT, "room_id": ROOM,
            "origin_server_ts": 1790000000000, "content": json.loads(sealed)})

    def close(self):
        self.process.stdin.close()
        self.process.wait()
