#!/usr/bin/python3
"""The unit: what systemd says of it, and that `make install` puts everything where it is looked for."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

UNITS = {"alumhub-bot": 1.1, "alumhub-egress": 1.0, "alumhub-bot-backup": 0.3}  # the exposure that must not be passed
BOT = "build/alumhub-bot"
SPLIT = 0.2  # of the bot with the drop-in split.conf
FILES = """usr/bin/alumhub-bot usr/bin/alumhub-picture usr/lib/systemd/system/alumhub-bot.service
usr/lib/systemd/system/alumhub-egress.service usr/lib/systemd/system/alumhub-egress.socket
usr/share/alumhub-bot/split.conf usr/share/alumhub-bot/encrypted.conf usr/share/man/man8/alumhub-bot.8
usr/share/man/man5/alumhub-bot.ini.5 usr/share/bash-completion/completions/alumhub-bot
usr/share/zsh/vendor-completions/_alumhub-bot
usr/lib/sysusers.d/alumhub-bot.conf usr/lib/tmpfiles.d/alumhub-bot.conf
usr/share/alumhub-bot/partners.json usr/share/alumhub-bot/words/en.json
usr/share/alumhub-bot/words/ar.json usr/share/alumhub-bot/words/he.json
etc/alumhub-bot/alumhub-bot.ini etc/alumhub-bot/state-key""".split()


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def units_in(folder, *drop_ins):
    """The units as they are installed, beside programs that are there."""
    for path in glob.glob("systemd/*.service") + glob.glob("systemd/*.socket") + glob.glob("systemd/*.timer"):
        with open(path) as f, open(os.path.join(folder, os.path.basename(path)), "w") as out:
            out.write(f.read().replace("ExecStart=/usr/bin/alumhub-bot", "ExecStart=/usr/bin/true"))
    os.makedirs(os.path.join(folder, "alumhub-bot.service.d"))
    for name in drop_ins:
        shutil.copy("systemd/" + name, os.path.join(folder, "alumhub-bot.service.d"))


def verified(*drop_ins):
    with tempfile.TemporaryDirectory() as folder:
        units_in(folder, *drop_ins)
        for path in sorted(glob.glob(folder + "/*.*")):
            if not os.path.isdir(path):
                done = run("systemd-analyze", "verify", "--man=no", path)
                assert done.returncode == 0 and not done.stdout.strip(), path + done.stdout


def exposure(path):
    done = run("systemd-analyze", "security", "--offline=yes", path)
    found = re.search(r"exposure level for (\S+): ([0-9.]+)", done.stdout)
    assert found, done.stdout[-300:]
    print("# exposure of %s %s" % (path if "/tmp" not in path else "the split bot", found[2]))
    return float(found[2])


def service_units_are_accepted():
    verified()


def service_units_are_accepted_with_each_drop_in():
    verified("split.conf")
    verified("encrypted.conf")
    verified("split.conf", "encrypted.conf")


def service_exposure_is_small():
    for name, most in UNITS.items():
        assert exposure("systemd/%s.service" % name) <= most, name


def service_split_leaves_the_bot_without_a_network():
    with tempfile.TemporaryDirectory() as folder:
        units_in(folder, "split.conf")
        assert exposure(folder + "/alumhub-bot.service") <= SPLIT


def service_is_installed_whole():
    folder = tempfile.mkdtemp()
    try:
        done = run("make", "-s", "install", "DESTDIR=" + os.path.abspath(folder))
        assert done.returncode == 0, "make: %d %s" % (done.returncode, done.stdout[-1000:])
        missing = [f for f in FILES if not os.path.exists(os.path.join(folder, f))]
        assert not missing, "missing: %r" % missing
        key = os.stat(os.path.join(folder, "etc/alumhub-bot/state-key"))
        assert key.st_size == 32 and key.st_mode & 0o377 == 0, "%d bytes, %o" % (key.st_size, key.st_mode)
        before = open(os.path.join(folder, "etc/alumhub-bot/state-key"), "rb").read()
        assert run("make", "-s", "install", "DESTDIR=" + os.path.abspath(folder)).returncode == 0
        after = open(os.path.join(folder, "etc/alumhub-bot/state-key"), "rb").read()
        assert before == after, "a second install made another key"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def service_every_command_is_in_the_manual_and_completes():
    usage = run(BOT, "--help").stdout
    commands = set(re.findall(r"^  ([a-z-]+)\b", usage, re.M)) | set(re.findall(r"\| ([a-z-]+) FILE", usage))
    assert {"run", "restore", "load-demo", "schema", "egress"} <= commands and len(commands) > 11, commands
    places = {path: open(path).read().replace("\\-", "-")
              for path in glob.glob("config/completion/*") + glob.glob("**/alumhub-bot.8", recursive=True)}
    assert len(places) == 3, places.keys()
    for path, text in places.items():
        missing = [c for c in sorted(commands) if not re.search(r"(?<![\w-])%s(?![\w-])" % c, text)]
        assert not missing, "%s: not there: %s" % (path, missing)
    done = run("bash", "-c", ". config/completion/alumhub-bot.bash; COMP_WORDS=(alumhub-bot l); COMP_CWORD=1; "
               "_alumhub_bot; echo ${COMPREPLY[@]}")
    assert done.stdout == "load-demo\n", done.stdout


def service_command_check_knows_what_is_documented():
    """Every section and key that `check` names stands in the example and in the manual."""
    example = open("config/alumhub-bot.ini.example").read()
    manual = open("config/man/alumhub-bot.ini.5").read().replace("\\-", "-")

    def expected(text):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as f:
            f.write(text)
            f.flush()
            done = run(BOT, "--config", f.name, "check")
        assert done.returncode == 78 and "expected one of: " in done.stdout, done.stdout
        return done.stdout.split("expected one of: ")[1].split()

    count, missing = 0, []
    for section in expected("[nonsense]\n"):
        named = section in ("podcast", "calendar", "room")
        for key in expected("[%s%s]\nnonsense = 1\n" % (section, " x" if named else "")):
            count += 1
            part = re.search(r"(?ms)^(?:; )?\[%s\b.*?(?=^(?:; )?\[|\Z)" % section, example)
            if not part or not re.search(r"(?m)^(?:; )?%s = " % key, part[0]):
                missing.append("example: [%s] %s" % (section, key))
            part = re.search(r"(?ms)^\.SS [^\n]*\[%s\b.*?(?=^\.S[SH]|\Z)" % section, manual)
            if not part or not re.search(r"\b%s\b" % key, part[0]):
                missing.append("manual: [%s] %s" % (section, key))
    assert not missing and count > 50, (count, missing)
    # With every comment taken away it is still a configuration.
    whole = re.sub(r"(?m)^; (?=\[|\w+ = )", "", example)
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/all.ini", "w") as f:
            f.write(re.sub(r"(?m)^(words|partners|disclaimer) = .*", "", whole))
        done = run(BOT, "--config", folder + "/all.ini", "check")
        assert done.returncode == 0, done.stdout


def service_command_check_looks_at_rooms_and_secrets():
    with tempfile.TemporaryDirectory() as folder:
        def check(more, mode):
            with open(folder + "/bot.ini", "w") as f:
                f.write("[bot]\ndatabase = bot.db\nkey_file = key\n[telegram]\ntoken_file = token\n" + more)
            for name in ("key", "token"):
                with open(os.path.join(folder, name), "w") as f:
                    f.write("0123456789abcdef0123456789abcdef")
                os.chmod(os.path.join(folder, name), mode)
            return run(BOT, "--config", folder + "/bot.ini", "check")

        done = check("[ops]\nroom = telegram:-1001\n[room a]\naddress = telegram:-5\n", 0o600)
        assert done.returncode == 0 and "expected" not in done.stdout, done.stdout
        done = check("[ops]\nroom = telegramm:-1001\n[room a]\naddress = matrix:!a:example.org\n", 0o640)
        assert done.returncode == 78 and "0600" not in done.stdout, done.stdout
        assert "[ops] room: expected a network" in done.stdout and "[room a] address: expected" in done.stdout, done.stdout
        done = check("", 0o644)
        assert done.returncode == 0, done.stdout
        assert all("%s/%s: everybody on this machine" % (folder, n) in done.stdout for n in ("key", "token")), done.stdout
        assert not os.path.exists(folder + "/bot.db")


def service_command_check_names_the_line_of_what_points_nowhere():
    """What `run` would refuse or show as a bare id is refused by `check`, with its line and what was expected."""
    with tempfile.TemporaryDirectory() as folder:
        def check(text):
            with open(folder + "/bot.ini", "w") as f:
                f.write("[bot]\ndatabase = bot.db\n" + text)
            return run(BOT, "--config", folder + "/bot.ini", "check")

        calendar = "[calendar a]\nurl = https://example.org/\norg = %s\n"
        matrix = "[matrix]\nhomeserver = https://example.org\nuser = %s\n"
        for text, why in (
                (calendar % "allmep" + (calendar % "nobody").replace(" a]", " b]"),
                 ":8: [calendar b] org: expected the id of an organisation"),
                ("[podcast a]\nfeed = https://example.org/\ndisclaimer = no.key\n",
                 ":5: [podcast a] disclaimer: expected a key of the words, not no.key"),
                ("[ops]\nroom = telegram:-1\n", ":4: [ops] room: expected a network"),
                (matrix % "bot:example.org" + "password_file = p\n", ":5: [matrix] user: expected @name:server"),
                (matrix % "@bot:example.org", ": [matrix]: expected access_token_file or password_file"),
                ("[podcast a]\nfeed = https://example.org/\n" * 2,
                 ":5: expected [podcast a] once; it stands in line 3"),
                ("zone_override = Asia/Hebron 2027-03-27T02:00 +03:00 +02:00\n", ":3: [bot] zone_override"),
                ("[content]\npartners = nowhere\n", "/nowhere: cannot be read; expected a list of partners")):
            done = check(text)
            assert done.returncode == 78 and why in done.stdout, (text, done.stdout)
        done = check(calendar % "allmep" + matrix % "@bot:example.org" + "password_file = p\n")
        assert done.returncode == 0, done.stdout


def service_command_usage_is_strict():
    """64, a word of what was wrong and the usage; and an answer that went nowhere is a failure."""
    for words, why in ((("version", "x"), "no word belongs behind version"), (("schema", "x"), "no word"),
                       (("egress", "x"), "no word"), (("status", "--role", "admin"), "--role"),
                       (("run", "--qr", "x"), "--qr"), (("chat", "--json"), "--json"), (("check", "--as", "x"), "--as"),
                       (("--config",), "expected a value"), (("nope",), "unknown command"), ((), "expected a command"),
                       (("restore",), "one more word"), (("restore", "a", "b"), "too many"), (("-",), "unknown option")):
        done = subprocess.run([BOT, *words], capture_output=True, text=True)
        assert done.returncode == 64 and not done.stdout, (words, done)
        assert why in done.stderr.splitlines()[0] and "usage:" in done.stderr, (words, done.stderr)
    assert run(BOT, "--version").stdout == run(BOT, "version").stdout
    with open("/dev/full", "w") as full:
        done = subprocess.run([BOT, "version"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "standard output" in done.stderr, done


def service_command_version_says_what_it_runs_with():
    said = run(BOT, "version").stdout
    for line in (r"alumhub-bot \S+", r"schema \d+", r"SQLite 3\.\S+", r"libuv 1\.\S+", r"libcurl/\S+ .*OpenSSL/3.*",
                 r"jansson 2\.\S+", r"ICU \d+\.\S+", r"expat_2\.\S+", r"libical 3\.\S+", r"libsodium 1\.\S+",
                 r"libolm 3\.\S+"):
        assert re.search("^%s$" % line, said, re.M), (line, said)


bad = 0
only = os.environ.get("ONLY", "")
tests = [f for name, f in list(globals().items()) if name.startswith("service_")]
for number, test in enumerate([t for t in tests if only in t.__name__], 1):
    needs = BOT if "installed" in test.__name__ or "command" in test.__name__ else shutil.which("systemd-analyze")
    if not needs or not os.path.exists(needs):
        print("ok %d - %s # skip %s is not there" % (number, test.__name__, needs or "systemd"))
        continue
    try:
        test()
        print("ok %d - %s" % (number, test.__name__))
    except AssertionError as why:
        bad = 1
        print("not ok %d - %s\n# %s" % (number, test.__name__, why))
sys.exit(bad)
