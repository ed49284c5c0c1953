#!/usr/bin/python3
"""The unit: what systemd says of it, and that `make install` puts everything where it is looked for."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

UNIT = "systemd/alumhub-bot.service"
MOST = 1.5
FILES = """usr/bin/alumhub-bot usr/bin/alumhub-picture usr/lib/systemd/system/alumhub-bot.service
usr/lib/sysusers.d/alumhub-bot.conf usr/lib/tmpfiles.d/alumhub-bot.conf
usr/share/alumhub-bot/partners.json usr/share/alumhub-bot/words/en.json
usr/share/alumhub-bot/words/ar.json usr/share/alumhub-bot/words/he.json
etc/alumhub-bot/alumhub-bot.ini etc/alumhub-bot/state-key""".split()


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def service_unit_is_accepted():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "alumhub-bot.service")
        with open(UNIT) as f, open(path, "w") as out:
            out.write(f.read().replace("ExecStart=/usr/bin/alumhub-bot", "ExecStart=/usr/bin/true"))
        done = run("systemd-analyze", "verify", path)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout


def service_exposure_is_small():
    done = run("systemd-analyze", "security", "--offline=yes", UNIT)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found and float(found[1]) <= MOST, done.stdout[-300:]
    print("# exposure %s" % found[1])


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


bad = 0
only = os.environ.get("ONLY", "")
tests = [service_unit_is_accepted, service_exposure_is_small, service_is_installed_whole]
for number, test in enumerate([t for t in tests if only in t.__name__], 1):
    needs = "build/alumhub-bot" if test is service_is_installed_whole else shutil.which(
        "systemd-analyze")
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
