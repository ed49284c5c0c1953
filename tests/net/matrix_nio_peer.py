"""matrix-nio's own encryption as somebody the bot talks to; its device signed by an identity made
with python3-olm. `server` is a Server of matrix_keys or a Homeserver of matrix_server."""
import warnings

warnings.simplefilter("ignore")
from matrix_keys import BOT, NOOR, ROOM  # noqa: E402

try:
    import nio
    from nio.api import Api
    from nio.crypto import Olm
    from nio.store import SqliteMemoryStore
    from olm.pk import PkSigning
    MISSING = None
except ImportError:
    MISSING = "python3-matrix-nio or python3-olm is not installed"


def sign(body, user, key_id, signer):
    plain = {k: v for k, v in body.items() if k not in ("signatures", "unsigned")}
    signature = signer(Api.to_canonical_json(plain))
    body.setdefault("signatures", {}).setdefault(user, {})["ed25519:" + key_id] = signature


class Peer:
    """matrix-nio's own encryption; its device signed by an identity made with python3-olm."""

    def __init__(self, server, device="NIODEV", cross_signed=True, beside=None):
        """`beside`: another device of the same person, signed by the same identity."""
        self.server, self.device, self.own = server, device, None
        self.olm = Olm(NOOR, device, SqliteMemoryStore(NOOR, device, "pickle"))
        body = self.olm.share_keys()
        if beside:
            self.own = beside.own
            sign(body["device_keys"], NOOR, self.own.public_key, self.own.sign)
        elif cross_signed:
            self.identity(body["device_keys"])
        answer = server.upload(NOOR, device, body)
        self.olm.handle_response(nio.KeysUploadResponse.from_dict(answer))
        self.query()

    def identity(self, device_keys):
        master, own = (PkSigning(PkSigning.generate_seed()) for _ in range(2))
        keys = {}
        for name, signer in (("master", master), ("self_signing", own)):
            keys[name + "_key"] = {"user_id": NOOR, "usage": [name],
                                   "keys": {"ed25519:" + signer.public_key: signer.public_key}}
        sign(keys["self_signing_key"], NOOR, master.public_key, master.sign)
        sign(device_keys, NOOR, own.public_key, own.sign)
        self.server.identity[NOOR] = keys
        self.own = own

    def query(self):
        answer = self.server.query({"device_keys": {BOT: [], NOOR: []}})
        self.olm.users_for_key_query = {BOT, NOOR}
        self.olm.handle_response(nio.KeysQueryResponse.from_dict(answer))
        devices = self.olm.device_store[BOT] if BOT in self.olm.device_store.users else {}
        for device in devices.values():
            self.olm.verify_device(device)
        return devices.get("BOTDEV")

    def sync(self):
        kinds = []
        for event in self.server.boxes.pop((NOOR, self.device), []):
            parsed = nio.ToDeviceEvent.parse_event(event)
            kinds.append(type(self.olm.handle_to_device_event(parsed)).__name__ if parsed else
                         event["content"].get("code"))
        return kinds

    def read(self, content, event_id="$b"):
        event = nio.MegolmEvent.from_dict({
            "type": "m.room.encrypted", "event_id": event_id, "sender": BOT, "room_id": ROOM,
            "origin_server_ts": 1, "content": content})
        event.room_id = ROOM
        return self.olm.decrypt_megolm_event(event)

    def share(self):
        missing = self.olm.get_missing_sessions([BOT])
        if missing:
            body = {"one_time_keys": {u: {d: "signed_curve25519" for d in ds}
                                      for u, ds in missing.items()}}
            self.olm.handle_response(
                nio.KeysClaimResponse.from_dict(self.server.claim(body), ROOM))
        _, body = self.olm.share_group_session(ROOM, [BOT])
        self.server.to_device(NOOR, "m.room.encrypted", body)
        self.olm.outbound_group_sessions[ROOM].shared = True

    def say(self, text, event_id):
        content = self.olm.group_encrypt(
            ROOM, {"type": "m.room.message", "content": {"msgtype": "m.text", "body": text}})
        return {"type": "m.room.encrypted", "event_id": event_id, "sender": NOOR,
                "origin_server_ts": 1, "content": content}
