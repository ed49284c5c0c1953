#!/usr/bin/python3
"""Files on Matrix, both ways, in clear and in encrypted rooms: pictures for stories are fetched with the token
and decrypted, calendar files and pictures go up, encrypted where the room is."""
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix_nio_peer  # noqa: E402
from matrix_bot import NOOR, PROGRAM, World, expect, run  # noqa: E402
from matrix_keys import ROOM  # noqa: E402
from matrix_server import BOT  # noqa: E402

CANARY = b"Canary of a device"
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VEVENT\r\nUID:walk\r\nDTSTAMP:20260101T000000Z\r\n" \
    "DTSTART:%sT090000Z\r\nDTEND:%sT110000Z\r\nSUMMARY:A walk\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


LINK = "https://matrix.to/#/%40bot%3Ah"


def read_code(png):
    """What a camera reads; None: there is no reader here."""
    if not shutil.which("zbarimg"):
        print("# zbar-tools is not installed: the code is not read")
        return None
    with tempfile.NamedTemporaryFile(suffix=".png") as f:
        f.write(png)
        f.flush()
        return subprocess.run(["zbarimg", "-q", "--raw", f.name], capture_output=True, text=True,
                              timeout=30).stdout.strip()


class Chat:
    """Somebody's private chat, in clear."""

    def __init__(self, server, who):
        self.server, self.who = server, who
        self.room = self.enter()

    def enter(self):
        return self.server.dm(self.who)

    def send(self, content):
        self.server.event(self.room, self.who, "m.room.message", content)

    def contents(self):
        return self.server.ledger(self.room)

    def last(self):
        return self.contents()[-1]["body"]

    def post(self, content):
        """Sent, and the answers waited for: until it is quiet."""
        before = len(self.server.ledger(self.room))
        self.send(content)
        assert self.server.wait(lambda: len(self.server.ledger(self.room)) > before, 30), \
            "mute after %r" % content
        count = 0
        while count != len(self.server.ledger(self.room)):
            count = len(self.server.ledger(self.room))
            time.sleep(0.4)
        return self.last()

    def say(self, *texts):
        for text in texts:
            self.post({"msgtype": "m.text", "body": text})
        return self.last()

    def choose(self, label):
        found = re.search(r"^\[(#?\d+)\] .*" + label, self.last(), re.M)
        assert found, "no %r in %r" % (label, self.last())
        return self.say(found.group(1))

    def file(self, data, kind, name, msgtype):
        """What a client says of a file that it has uploaded."""
        self.server.media["in" + name] = (kind, data, name)
        return {"msgtype": msgtype, "body": name, "filename": name, "url": "mxc://h/in" + name,
                "info": {"mimetype": kind, "size": len(data)}}

    def bytes_of(self, content):
        kind, data, name = self.server.media[content["url"].rsplit("/", 1)[1]]
        expect((kind, name), (content["info"]["mimetype"], content["filename"]))
        return data


class Sealed(Chat):
    """The same in an encrypted room, with nio's encryption."""

    def enter(self):
        self.peer = matrix_nio_peer.Peer(self.server)
        self.server.dm(NOOR, ROOM, encrypted=True)
        self.peer.query()
        self.peer.share()
        self.read = {}
        return ROOM

    def send(self, content):
        self.server.event(ROOM, NOOR, "m.room.encrypted", self.peer.olm.group_encrypt(
            ROOM, {"type": "m.room.message", "content": content}))

    def contents(self):
        self.peer.query()
        self.peer.sync()
        for n, sealed in enumerate(self.server.ledger(ROOM)):
            if n not in self.read:
                self.read[n] = self.peer.read(sealed, "$b%d" % n).source["content"]
        return [self.read[n] for n in sorted(self.read)]

    def file(self, data, kind, name, msgtype):
        from nio.crypto.attachments import encrypt_attachment
        sealed, keys = encrypt_attachment(data)
        self.server.media["in" + name] = ("application/octet-stream", sealed, None)
        content = super().file(data, kind, name, msgtype)
        self.server.media["in" + name] = ("application/octet-stream", sealed, None)
        content["file"] = dict(keys, url=content.pop("url"))
        return content

    def bytes_of(self, content):
        from nio.crypto.attachments import decrypt_attachment
        file = content["file"]
        kind, data, name = self.server.media[file["url"].rsplit("/", 1)[1]]
        expect((kind, name), ("application/octet-stream", None))
        return decrypt_attachment(data, file["key"]["k"], file["hashes"]["sha256"], file["iv"])


def code(bot, role, org):
    return re.search(r"j_[\w-]{22}", bot.command("invite", "--role", role, "--org", org).stdout).group(0)


def day(n):
    return (datetime.date.today() + datetime.timedelta(n)).strftime("%d/%m/%Y")


def season(server, bot):
    ada = Chat(server, "@ada:h")
    ada.say("!start " + code(bot, "admin", "allmep"), "1", "!stories", "Season")
    ada.choose("New season")
    ada.say("A meeting")
    for label in ["Leave out"] * 2 + [None] + ["Leave out"] * 2 + ["The usual text"] * 6:
        if label:
            ada.choose(label)
        else:
            ada.say("A week of writing")
    ada.say(day(60), day(90))
    ada.choose("Open the season")


def picture(ending="jpg"):
    made = subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48", "-frames:v", "1",
                           "-f", "image2", "-c:v", "mjpeg", "-"], capture_output=True)
    return made.stdout


def seen(data):
    """The picture itself, without what stands about it in the file."""
    p = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-f", "md5", "-"], input=data, capture_output=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def signed(server):
    assert server.wait(lambda: len(server.devices.get(BOT, {}).get("BOTDEV", {}).get("signatures", {}).get(
        BOT, {})) > 1, 30), "not signed"


def begin_story(server, bot, chat_of):
    signed(server)
    season(server, bot)
    noor = chat_of(server, NOOR)
    noor.say("!start " + code(bot, "member", "arava"), "1", "!stories")
    noor.choose("Write a story")
    noor.choose("I am 18")
    if "Write a story" in noor.last():
        noor.choose("Write a story")
    noor.say("On the first morning we sat at the back of the bus.")
    return noor


def with_comment(jpeg):
    return jpeg[:2] + b"\xff\xfe" + (len(CANARY) + 2).to_bytes(2, "big") + CANARY + jpeg[2:]


def until_said(chat, words):
    assert chat.server.wait(lambda: any(words in c["body"] for c in chat.contents()), 20), chat.contents()


def story_in(chat_of):
    """Fetched with the token, opened, bare of what tells about its maker, and shown as it was."""
    with World(encryption="on") as (s, b):
        noor = begin_story(s, b, chat_of)
        data = picture()
        noor.send(noor.file(with_comment(data), "image/jpeg", "bus.jpg", "m.image"))
        until_said(noor, "Kept, without")
        noor.say("Then one of us spoke.")
        assert any(p.startswith("GET /_matrix/client/v1/media/download/h/inbus") for p in s.paths)
        noor.choose("Read it back")
        shown = [c for c in noor.contents() if c["msgtype"] == "m.image"]
        assert shown, noor.last()
        got = noor.bytes_of(shown[-1])
        expect(seen(got), seen(data))
        assert CANARY not in got
        noor.say("!mydata")
        kept = noor.bytes_of([c for c in noor.contents() if c["msgtype"] == "m.file"][-1])
        assert isinstance(json.loads(kept), dict) and b"bus.jpg" not in kept and CANARY not in kept


def story_without(damage, encrypted=True):
    with World(encryption="on") as (s, b):
        noor = begin_story(s, b, Sealed if encrypted else Chat)
        content = noor.file(picture(), "image/jpeg", "bus.jpg", "m.image")
        damage(s, content)
        noor.post(content)
        until_said(noor, "could not be kept")
        assert not any("Kept, without" in c["body"] for c in noor.contents()), noor.contents()
        noor.say("!help")


def matrix_media_a_changed_file_is_not_taken():
    def damage(server, content):
        kind, data, name = server.media["inbus.jpg"]
        server.media["inbus.jpg"] = (kind, data[:-1] + bytes([data[-1] ^ 1]), name)
    story_without(damage)


def matrix_media_a_file_that_is_gone_is_said():
    story_without(lambda server, content: server.media.clear())


def matrix_media_a_false_key_is_not_taken():
    story_without(lambda server, content: content["file"]["key"].update(k="A" * 43))


def matrix_media_an_endless_file_is_not_taken():
    def damage(server, content):
        server.media["inbus.jpg"] = ("image/jpeg", b"\xff\xd8" + bytes(21 * 1000 * 1000), None)
    story_without(damage, False)


def event_in(chat_of):
    """As a calendar file and as a picture."""
    path = os.path.abspath("build/matrix-media-%d.ics" % os.getpid())
    with open(path, "w", newline="") as f:
        date = (datetime.date.today() + datetime.timedelta(20)).strftime("%Y%m%d")
        f.write(CALENDAR % (date, date))
    more = "[calendar walks]\nurl = file://%s\norg = allmep" % path
    try:
        with World(encryption="on", more=more) as (s, b):
            signed(s)
            noor = chat_of(s, NOOR)
            noor.say("!events")
            if re.search(r"^\[\d+\] .*A walk", noor.last(), re.M):
                noor.choose("A walk")
            noor.choose("calendar")
            files = [c for c in noor.contents() if c["msgtype"] == "m.file"]
            text = noor.bytes_of(files[-1]).decode()
            assert text.startswith("BEGIN:VCALENDAR") and date in text, text
            expect(files[-1]["filename"], "event.ics")
            noor.say("!events")
            if re.search(r"^\[\d+\] .*A walk", noor.last(), re.M):
                noor.choose("A walk")
            noor.choose("picture")
            assert s.wait(lambda: any(c["msgtype"] == "m.image" for c in noor.contents()), 20), noor.last()
            image = [c for c in noor.contents() if c["msgtype"] == "m.image"][-1]
            png = noor.bytes_of(image)
            assert png.startswith(b"\x89PNG"), png[:20]
            expect(image["info"]["mimetype"], "image/png")
            # Complete without the picture: a sentence, the event, and no file's name.
            assert "A walk" in image["body"] and image["body"] != image["filename"] == "event.png", image
            # Whoever scans it is led to the bot, and sends there what stands below.
            said = read_code(png)
            if said:
                expect(said, LINK)
                offer = Chat(s, "@dina:h").say("!start", "1", "e_1")
                assert "A walk" in offer and "A picture to share" in offer, offer
    finally:
        os.unlink(path)


def matrix_media_an_event_as_file_and_picture():
    event_in(Chat)


def matrix_media_an_event_as_file_and_picture_encrypted():
    event_in(Sealed)


def matrix_media_a_poster():
    """Two codes: the way to the bot, and what is sent there."""
    with World(encryption="on") as (s, b):
        made = b.command("invite", "--role", "member", "--org", "arava", "--qr", b.path("poster.png"))
        expect((made.returncode, LINK in made.stdout.splitlines()), (0, True))
        with open(b.path("poster.png"), "rb") as f:
            said = read_code(f.read())
        if said is None:
            return
        typed = "!start " + re.search(r"j_[\w-]{22}", made.stdout).group(0)
        expect(sorted(said.split("\n")), [typed, LINK])
        noor = Chat(s, NOOR)
        assert "Arava" in noor.say(typed), noor.last()


def matrix_media_an_upload_that_fails_is_repeated():
    for what in ("500", "429:300", "drop", "half", "after", "html"):
        with World(encryption="on") as (s, b):
            signed(s)
            noor = Sealed(s, NOOR)
            s.fault("/media/v3/upload", what, 1)
            noor.say("!mydata")
            assert s.wait(lambda: any(c["msgtype"] == "m.file" for c in noor.contents()), 30), what
            time.sleep(1)
            expect((what, sum(c["msgtype"] == "m.file" for c in noor.contents())), (what, 1))


def matrix_media_a_story_has_a_picture():
    story_in(Chat)


def matrix_media_a_story_has_a_picture_in_an_encrypted_room():
    story_in(Sealed)


def main():
    if not os.path.exists(PROGRAM) or matrix_nio_peer.MISSING:
        print("ok 1 - matrix_media # skip the bot or nio is not there")
        return 0
    return run([f for name, f in globals().items() if name.startswith("matrix_media") and callable(f)])


sys.exit(main())
