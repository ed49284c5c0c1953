#!/usr/bin/python3
"""Pictures and voices of stories lose what tells about their maker: looked at with exiftool and
mediainfo, and still the same picture and sound to ffmpeg."""
import json
import os
import random
import subprocess
import sys
import tempfile

STRIP = "build/san/net/strip_file"
ONLY = os.environ.get("ONLY", "")
CANARY = "Canary7134"
# What a decoder needs and every such file has; of exiftool's groups that are not the file system's.
KEPT = {"JPEG": set(), "JFIF": set(),
        "PNG": {"ImageWidth", "ImageHeight", "BitDepth", "ColorType", "Compression", "Filter",
                "Interlace"},
        "Opus": {"OpusVersion", "AudioChannels", "SampleRate", "OutputGain"},
        "MPEG": {"MPEGAudioVersion", "AudioLayer", "AudioBitrate", "SampleRate", "ChannelMode",
                 "MSStereo", "IntensityStereo", "CopyrightFlag", "OriginalMedia", "Emphasis"},
        "Vorbis": {"Vendor"}}
folder = tempfile.TemporaryDirectory()


def run(*command, **more):
    return subprocess.run(command, capture_output=True, timeout=120, **more)


def path(name):
    return os.path.join(folder.name, name)


def ffmpeg(*arguments):
    p = run("ffmpeg", "-y", "-v", "error", *arguments)
    assert p.returncode == 0, p.stderr


def strip(data):
    p = run(STRIP, input=data)
    assert p.returncode in (0, 1) and b"Sanitizer" not in p.stderr, p.stderr[-2000:]
    return p.stdout if p.returncode == 0 else None


def content(name):
    """What is seen or heard, as one sum of the decoded frames; of MP3 the coded ones, as the frame
    that tells how many samples to leave out at the ends is left out itself."""
    how = ["-map", "0:a", "-c", "copy"] if name.endswith(".mp3") else []
    p = run("ffmpeg", "-v", "error", "-noautorotate", "-i", path(name), *how, "-f", "md5", "-")
    assert p.returncode == 0, p.stderr
    return p.stdout


def tags(name):
    found = json.loads(run("exiftool", "-j", "-G1", "-a", "-u", "-ee", path(name)).stdout)[0]
    left = []
    for key in found:
        group, _, tag = key.partition(":")
        if group in ("File", "System", "ExifTool", "Composite", "SourceFile"):
            continue
        if tag not in KEPT.get(group, set()):
            left.append("%s = %r" % (key, found[key]))
    comment = found.get("File:Comment")
    return left + (["Comment = %r" % comment] if comment else [])


def with_exif(name):
    p = run("exiftool", "-overwrite_original", "-m", "-GPSLatitude=31.77", "-GPSLatitudeRef=N",
            "-GPSLongitude=35.21", "-GPSLongitudeRef=E", "-Make=" + CANARY, "-Model=" + CANARY,
            "-Artist=" + CANARY, "-XMP:Creator=" + CANARY, "-Comment=" + CANARY,
            "-DateTimeOriginal=2027:03:01 10:00:00", "-IPTC:Credit=" + CANARY, path(name))
    assert p.returncode == 0, p.stderr


def looked_at(name):
    """The differences that there should not be."""
    data = open(path(name), "rb").read()
    assert CANARY.encode() in data, "the canary is not in " + name
    clean = strip(data)
    if clean is None:
        return ["refused " + name]
    out = "clean-" + name
    open(path(out), "wb").write(clean)
    bad = tags(out)
    if CANARY.encode() in clean or b"Lavf" in clean or b"Lavc" in clean:
        bad.append("a name is still in it")
    if CANARY in run("mediainfo", "-f", path(out)).stdout.decode():
        bad.append("mediainfo finds the name")
    if content(name) != content(out):
        bad.append("it looks or sounds otherwise")
    if strip(clean) != clean:
        bad.append("a second time changes it")
    return ["%s: %s" % (name, b) for b in bad]


def pictures(ending, *more):
    name = "picture." + ending
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=640x480", "-frames:v", "1", *more, path(name))
    with_exif(name)
    with open(path(name), "ab") as f:
        f.write(CANARY.encode())  # behind the end
    return looked_at(name)


def story_media_jpeg_is_bare():
    return pictures("jpg")


def story_media_progressive_jpeg_is_bare():
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=640x480", "-frames:v", "1", path("p.png"))
    p = run("convert", path("p.png"), "-interlace", "JPEG", path("progressive.jpg"))
    if p.returncode:
        print("# skipped: no imagemagick")
        return []
    with_exif("progressive.jpg")
    return looked_at("progressive.jpg")


def story_media_png_is_bare():
    return pictures("png")


def sound(name, *codec):
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440:duration=5", *codec, "-metadata",
           "title=" + CANARY, "-metadata", "artist=" + CANARY, "-metadata", "comment=" + CANARY,
           path(name))
    return looked_at(name)


def story_media_voice_is_bare():
    return sound("voice.ogg", "-c:a", "libopus", "-b:a", "32k")


def story_media_voice_with_a_long_comment_is_bare():
    return sound("long.ogg", "-c:a", "libopus", "-metadata", "description=" + "x" * 100000)


def story_media_mp3_is_bare():
    return sound("music.mp3", "-c:a", "libmp3lame", "-id3v2_version", "4", "-write_id3v1", "1")


def story_media_others_are_refused():
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path("sound.wav"))
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=1", path("film.mp4"))
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "flac", path("flac.ogg"))
    bad = [n for n in ("sound.wav", "film.mp4", "flac.ogg")
           if strip(open(path(n), "rb").read()) is not None]
    return bad + [repr(d) for d in (b"", b"\xff\xd8\xff", b"OggS", b"ID3", b"<svg/>")
                  if strip(d) is not None]


def story_media_damage_does_no_harm():
    random.seed(7)
    for name in ("picture.jpg", "picture.png", "voice.ogg", "music.mp3"):
        data = open(path(name), "rb").read()[:6000]
        for i in range(40):
            broken = bytearray(data[:random.randrange(1, len(data))])
            for _ in range(random.randrange(1, 20)):
                broken[random.randrange(len(broken))] = random.randrange(256)
            strip(bytes(broken))
    return []


def main():
    failed = 0
    missing = [t for t in ("exiftool", "mediainfo", "ffmpeg") if run("which", t).returncode]
    tests = [f for n, f in globals().items() if n.startswith("story_media_")]
    for n, test in enumerate(tests, 1):
        if ONLY and ONLY not in test.__name__:
            continue
        if missing:
            print("ok", n, "-", test.__name__, "# skip no", " ".join(missing))
            continue
        try:
            bad = test()
        except AssertionError as why:
            bad = [str(why)]
        failed += bool(bad)
        print("not ok" if bad else "ok", n, "-", test.__name__, flush=True)
        for line in bad:
            print("# " + line.replace("\n", "\n# "))
    return failed > 0


sys.exit(main())
