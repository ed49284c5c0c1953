"""Runs inside the booted container (tests/system/run), as root: the installed package as systemd runs it.

TAP on standard output. The fake Telegram server is in this process; what it confirmed, never got an answer
for and is not counted in doubt is what was lost.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, "/project/tests/net")
from telegram_server import Server, TOKEN  # noqa: E402

UNIT, DROP = "alumhub-bot.service", "/etc/systemd/system/alumhub-bot.service.d"
CONFIG = """[bot]
database = ${STATE_DIRECTORY}/alumhub.db
key_file = ${CREDENTIALS_DIRECTORY}/state-key
[telegram]
token_file = ${CREDENTIALS_DIRECTORY}/telegram-token
api_root = %s
per_chat_second = 1000
per_second = 1000
%s
"""
server = Server()
people = iter(range(1000, 100000))
asked = []


def run(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def must(*words):
    done = run(*words)
    assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stdout[-1500:])
    return done.stdout


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def show(what, unit=UNIT):
    return run("systemctl", "show", "-P", what, unit).stdout.strip()


def pid():
    return int(show("MainPID"))


def journal(since):
    return run("journalctl", "-q", "-o", "cat", "--since", "@%d" % since, "-u", "alumhub-*").stdout


def configure(more=""):
    write("/etc/alumhub-bot/alumhub-bot.ini", CONFIG % (server.address, more))


def drop_in(name, text):
    write("%s/%s" % (DROP, name), text)
    must("systemctl", "daemon-reload")


def no_drop_ins():
    shutil.rmtree(DROP, ignore_errors=True)
    must("systemctl", "daemon-reload")


def ask(n=1):
    """n people say something: each has to hear an answer in the end."""
    for _ in range(n):
        who = next(people)
        asked.append(who)
        server.say(who, "/help")
    return asked[-n:]


def answered(who, seconds=20):
    return server.wait(lambda: all(server.ledger(w) for w in who), seconds)


def in_doubt():
    """Answers that were in the air when the process was killed: never repeated blindly, and counted."""
    found = re.search(r"^in_doubt +(\d+)", run("alumhub-bot", "status").stdout, re.M)
    return int(found[1]) if found else 0


def accounted_for(who, seconds):
    """Each was answered, or is one that `status` says is in doubt."""
    return answered(who, seconds) or sum(not server.ledger(w) for w in who) <= in_doubt()


def back(old, seconds):
    """Seconds until another process is READY."""
    start = time.monotonic()
    while time.monotonic() - start < seconds + 10:
        new = pid()
        if new not in (0, old) and show("ActiveState") == "active":
            return time.monotonic() - start
        time.sleep(0.02)
    return 1e9


def start():
    must("systemctl", "restart", UNIT)


# ---- the tests, in this order ----

def system_bot_is_ready_and_answers():
    start()
    assert show("ActiveState") == "active"
    assert answered(ask(3)), journal(0)[-1500:]
    assert show("DynamicUser") == "yes" and os.path.islink("/var/lib/alumhub-bot")
    owner = os.stat("/var/lib/private/alumhub-bot")
    assert owner.st_uid and owner.st_mode & 0o777 == 0o700, owner


def system_bot_runs_confined():
    with open("/proc/%d/status" % pid()) as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
    assert int(status["CapBnd"], 16) == 0 and int(status["CapEff"], 16) == 0, status
    assert status["Uid"].split()[0] != "0", status["Uid"]
    out = must("alumhub-bot", "status")
    print("# " + " ".join(re.search(r"^sandbox +(.*)", out, re.M)[0].split()))
    assert re.search(r"^sandbox +(landlock \d+: files, programs|no landlock)", out, re.M), out


def system_terminal_commands_find_the_service():
    assert "j_" in must("alumhub-bot", "invite", "--role", "admin")
    assert must("alumhub-bot", "status", "--json").startswith("{")
    must("alumhub-bot", "check")
    must("systemctl", "reload", UNIT)
    assert answered(ask()), "deaf after a reload"


def probe(unit, program, argument=""):
    """The unit's own text, with the probe in the place of the program."""
    text = must("systemctl", "cat", unit)
    text = re.sub(r"(?m)^ExecStart=.*", "ExecStart=/usr/bin/alumhub-probe " + argument, text)
    text = text.replace("ExecPaths=/usr/bin/alumhub-bot", "ExecPaths=/usr/bin/alumhub-probe")
    text = re.sub(r"(?m)^(Type|Restart|WatchdogSec|NotifyAccess|ExecReload|Requires)=.*", "", text)
    text = text.replace("StateDirectory=alumhub-bot", "StateDirectory=alumhub-probe")
    text = text.replace("/private/alumhub-bot", "/private/alumhub-probe")
    write("/run/systemd/system/alumhub-probe.service", text + "\n[Service]\nType=oneshot\n"
          "StandardOutput=truncate:/probe.out\nStandardError=truncate:/probe.err\n")
    must("systemctl", "daemon-reload")
    run("systemctl", "start", "alumhub-probe.service")
    out = open("/probe.out").read()
    found = re.search(r"(\d+) refused, (\d+) allowed", out)
    assert found, "the probe said nothing: " + out + journal(0)[-600:] + run(
        "systemctl", "status", "alumhub-probe").stdout[-1200:]
    print("# %s%s: %s" % (unit, " with split.conf" if argument else "", found[0]))
    assert found[2] == "0" and int(found[1]) >= 40, out


def system_probe_is_refused_everything_as_one_process():
    probe(UNIT, "alumhub-bot")


def system_probe_is_refused_everything_in_the_split():
    shutil.copy("/usr/share/alumhub-bot/split.conf", "/run/split.conf")
    drop_in("split.conf", open("/run/split.conf").read())
    probe(UNIT, "alumhub-bot", "split")
    no_drop_ins()


def system_probe_is_refused_everything_as_egress():
    probe("alumhub-egress.service", "alumhub-bot")


def system_probe_control_without_a_sandbox_succeeds():
    """Any user of the machine can do things that the service cannot: it is no probe that always fails."""
    done = run("/usr/bin/alumhub-probe", user=65534, group=65534, timeout=120)
    found = re.search(r"(\d+) refused, (\d+) allowed", done.stdout)
    print("# without a sandbox: " + found[0])
    assert int(found[2]) >= 15, done.stdout


def system_killed_is_back_within_5_s():
    worst = 0
    for _ in range(3):
        old, who = pid(), ask(5)
        os.kill(old, signal.SIGKILL)
        who += ask(5)
        worst = max(worst, back(old, 5))
        assert accounted_for(who, 30), "unanswered: %d" % sum(not server.ledger(w) for w in who)
    print("# killed: back after %.1f s at the most" % worst)
    assert worst <= 5, worst


def system_out_of_memory_is_back_within_5_s():
    if not os.path.exists("/oom/cgroup.procs"):
        return "no memory cgroup can be lent to the container"
    old = pid()
    write("/oom/cgroup.procs", str(old))
    write("/oom/memory.limit_in_bytes", str(256 * 1024))
    begin = time.time()
    who = ask(200)
    end = time.monotonic() + 60
    while time.monotonic() < end and os.path.exists("/proc/%d" % old):
        who += ask(20)
        time.sleep(0.1)
    kills = re.search(r"oom_kill (\d+)", open("/oom/memory.oom_control").read())
    assert not os.path.exists("/proc/%d" % old), "256 KB more were enough"
    assert kills and int(kills[1]) > 0, "it ended otherwise: " + journal(begin)[-1500:]
    took = back(old, 5)
    print("# out of memory, ended by the kernel %s times: back after %.1f s" % (kills[1], took))
    assert took <= 5, took
    assert accounted_for(who, 30), "unanswered: %d" % sum(not server.ledger(w) for w in who)


def system_hung_is_back_within_15_s():
    old, who = pid(), ask(3)
    os.kill(old, signal.SIGSTOP)
    who += ask(5)
    took = back(old, 15)
    print("# hung: back after %.1f s" % took)
    assert took <= 15, took
    assert accounted_for(who, 30), "unanswered after the watchdog"


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while f.write(b"x" * 4096):
                pass
        except OSError:
            pass


def system_disk_full_goes_on_or_says_why():
    begin = time.time()
    fill("/var/lib/private/ballast")
    who = ask(20)
    time.sleep(6)
    state, said = show("ActiveState"), journal(begin)
    why = re.search(r".*(?:full|cannot be written|No space|disk).*", said)
    heard = sum(bool(server.ledger(w)) for w in who)
    print("# disk full: %d of %d answered, the service is %s; it says: %s" % (
        heard, len(who), state, why[0][:150] if why else "nothing"))
    assert heard == len(who) or why, said[-1500:]
    os.unlink("/var/lib/private/ballast")
    assert accounted_for(who, 40), "unanswered after the disk had room: %s" % journal(begin)[-1500:]


def system_clock_step_goes_on_or_says_why():
    preload = "/usr/lib/%s-linux-gnu/faketime/libfaketime.so.1" % os.uname().machine
    if not os.path.exists(preload):
        return "libfaketime is not there"
    write("/run/clock", "+0\n")
    drop_in("clock.conf", "[Service]\nEnvironment=LD_PRELOAD=%s FAKETIME_TIMESTAMP_FILE=/run/clock "
            "FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 "
            "FAKETIME_DONT_RESET=1\n" % preload)
    try:
        start()
        assert answered(ask(2), 20), "deaf before the step: " + journal(0)[-800:]
        for step in ("+7200", "-7200", "+0"):
            begin = time.time()
            write("/run/clock", step + "\n")
            who = ask(3)
            heard, said = answered(who, 30), journal(begin)
            print("# clock %s s: %s" % (step, "answered" if heard else "silent"))
            assert heard, "silent after %s: %s" % (step, said[-800:])
            assert "clock.stepped" in said, "%s was not noticed: %s" % (step, said[-800:])
        status = must("alumhub-bot", "status")
        assert re.search(r"^alarm.clock .*it was set by \+7[12]\d\d s", status, re.M), status
    finally:
        no_drop_ins()
        start()


def system_credentials_may_be_encrypted():
    for name in ("state-key", "telegram-token"):
        must("systemd-creds", "encrypt", "--with-key=host", "--name=" + name, "/etc/alumhub-bot/" + name,
             "/etc/alumhub-bot/%s.cred" % name)
        os.rename("/etc/alumhub-bot/" + name, "/root/" + name)
    text = open("/usr/share/alumhub-bot/encrypted.conf").read()
    drop_in("encrypted.conf", re.sub(r"(?m)^LoadCredentialEncrypted=matrix.*\n", "", text))
    try:
        start()
        assert answered(ask(2)), journal(0)[-800:]
        for path in os.listdir("/etc/alumhub-bot"):
            with open("/etc/alumhub-bot/" + path, "rb") as f:
                assert TOKEN.encode() not in f.read(), path
    finally:
        for name in ("state-key", "telegram-token"):
            os.rename("/root/" + name, "/etc/alumhub-bot/" + name)
        no_drop_ins()
        start()


def system_restored_by_root_is_the_service_s_state():
    """The drill as the manual says it: stopped, moved away, restored by root, started."""
    assert answered(ask(3))
    # By root beside the confined service, into places that it does not see: its /tmp is another one.
    for path in ("/tmp/backup.sealed", "/root/backup.sealed"):
        said = must("alumhub-bot", "backup", path)
        assert said.startswith(path + ": ") and os.path.getsize(path) > 4096, said
    must("systemctl", "start", "alumhub-bot-backup.service")
    assert os.listdir("/var/lib/alumhub-bot/backups"), "none by the timer's unit"
    must("systemctl", "stop", UNIT)
    must("alumhub-bot", "backup", "/root/backup.sealed")
    for name in os.listdir("/var/lib/alumhub-bot"):
        if name.startswith("alumhub.db") and not name.endswith(".erased"):
            shutil.move("/var/lib/alumhub-bot/" + name, "/root/" + name)
    said = must("alumhub-bot", "restore", "/root/backup.sealed")
    assert "is back" in said, said
    start()
    assert show("ActiveState") == "active" and answered(ask(3)), journal(0)[-1500:]
    folder = os.stat("/var/lib/private/alumhub-bot")
    others = [n for n in os.listdir("/var/lib/alumhub-bot")
              if os.lstat("/var/lib/alumhub-bot/" + n).st_uid != folder.st_uid]
    assert not others, others


def system_split_bot_has_no_network_and_answers():
    configure("[egress]\n")
    os.makedirs(DROP)
    os.symlink("/usr/share/alumhub-bot/split.conf", DROP + "/split.conf")
    must("systemctl", "daemon-reload")
    start()
    assert answered(ask(5)), journal(0)[-1500:]
    devices = open("/proc/%d/net/dev" % pid()).read()
    assert re.findall(r"^ *(\w+):", devices, re.M) == ["lo"], devices
    sockets = open("/proc/%d/net/tcp" % pid()).read().splitlines()[1:]
    assert not sockets, sockets
    socket = os.stat("/run/alumhub-egress/socket")
    assert socket.st_mode & 0o777 == 0o660 and socket.st_uid == 0 and socket.st_gid, socket
    way = int(show("MainPID", "alumhub-egress.service"))
    out = must("alumhub-bot", "status")
    print("# " + " ".join(re.search(r"^sandbox +(.*)", out, re.M)[0].split()))
    # the way out dies: it comes back by its socket, and what was said meanwhile is answered
    os.kill(way, signal.SIGKILL)
    assert answered(ask(5), 40), "unanswered after the way out was killed: " + journal(0)[-1500:]
    old, who = pid(), ask(3)
    os.kill(old, signal.SIGKILL)
    took = back(old, 5)
    print("# killed in the split: back after %.1f s" % took)
    assert took <= 5 and accounted_for(who, 30)


def system_stop_is_clean_within_5_s():
    who = ask(50)
    begin = time.monotonic()
    must("systemctl", "stop", UNIT)
    took = time.monotonic() - begin
    print("# stopped after %.1f s" % took)
    assert took <= 5 and show("Result") == "success", (took, show("Result"))
    start()
    assert answered(who, 30)


def system_nothing_acknowledged_was_lost():
    answered(asked, 20)
    lost = [w for w in asked if not server.ledger(w)]
    doubt = in_doubt()
    print("# %d messages, %d without an answer, of which status counts in doubt: %d" % (
        len(asked), len(lost), min(len(lost), doubt)))
    assert len(lost) <= doubt and not server.violations, (len(lost), doubt, server.violations)


def main():
    server.start()
    write("/etc/alumhub-bot/telegram-token", TOKEN + "\n", 0o400)
    configure()
    os.makedirs("/var/lib/private", mode=0o700, exist_ok=True)
    must("mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "state", "/var/lib/private")
    only = open("/only").read()
    for name, test in [(n, f) for n, f in globals().items() if n.startswith("system_")]:
        if only not in name and test not in (system_bot_is_ready_and_answers, system_nothing_acknowledged_was_lost):
            continue
        try:
            skipped = test()
            print("ok - %s%s" % (name, " # skip " + skipped if skipped else ""), flush=True)
        except Exception as why:  # a broken test costs itself
            print("not ok - %s\n# %s" % (name, ("%s: %s" % (type(why).__name__, why)).replace("\n", "\n# ")),
                  flush=True)
    run("systemctl", "stop", UNIT)
    print("# all done", flush=True)


main()
