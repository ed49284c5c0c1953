#!/usr/bin/python3
"""A scripted hour of the whole bot, killed (-9) at each request and in each phase of it, and started again.

Sampled here; TELEGRAM_SWEEP=all (make test-long) takes every point, TELEGRAM_SWEEP=7-9 those of these requests;
two at a time. Whenever it dies: no update is lost, no message doubled, and every message that did not arrive is
counted as in doubt.
"""
import multiprocessing
import os
import re
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_telegram_bot as played  # noqa: E402
import test_telegram_strict as strict  # noqa: E402

CHOSEN = os.environ.get("TELEGRAM_SWEEP")
SAMPLES = 14
AT_ONCE = 2
RESTS_S = 1  # no request for so long after a start: nothing more comes
# Lost on its way; done while it dies; done and never answered; answered, and it dies with the answer.
PHASES = ("lost", "undone", "done", "answered")
FAST = "build/alumhub-bot"
OTHERWISE = "what reads otherwise"


class Killer(strict.Strict):
    """Kills the bot at one request and starts it again."""

    bot, at, phase, killed = None, 0, None, None

    def __init__(self):
        super().__init__()
        self.alive = threading.Event()
        self.alive.set()

    def again(self, method):
        self.alive.clear()
        self.killed = method
        self.bot.kill()
        self.bot.start()
        self.polled = self.polls
        self.alive.set()

    def rests(self):
        """It was killed, listens again and has nothing more to say."""
        return (self.killed and self.alive.is_set() and self.polls > self.polled and
                not self.queue and time.time() - self.requests[-1][0] > RESTS_S)

    async def _faulty(self, writer, method, arguments, what, value, number):
        if number != self.at or self.killed:
            return await super()._faulty(writer, method, arguments, what, value, number)
        if self.phase == "lost":
            self.again(method)
            writer.transport.abort()
            return False
        if self.phase == "undone":
            self.again(method)
            return await super()._faulty(writer, method, arguments, what, value, number)
        if self.phase == "done":
            await self._do(method, arguments, writer)
            self.again(method)
            writer.transport.abort()
            return False
        stays = await super()._faulty(writer, method, arguments, what, value, number)
        self.again(method)
        return stays


class Hour:
    """What people do. A step whose message never came is left out, with what it would have brought."""

    def __init__(self, server, code):
        self.s, self.code = server, code
        self.brought, self.left_out = {}, []

    def count(self):
        return sum(len(m) for m in self.s.messages.values())

    def step(self, name, act, brings=1):
        before = self.count()
        if act() is False:
            self.left_out.append(name)
            return
        self.s.wait(lambda: self.count() >= before + brings and not self.s.queue or
                    self.s.rests(), 5)
        self.brought[name] = self.count() - before

    def button(self, who, k, starts=""):
        """Presses button k of the newest message that begins so."""
        for m in reversed(self.s.ledger(who)):
            found = strict.buttons(m)
            if k < len(found) and m.get("text", "").startswith(starts):
                self.s.press(who, m["message_id"], found[k]["callback_data"])
                return True
        return False

    def play(self):
        say, s = self.s.say, self.s
        self.step("start", lambda: say(7, "/start"))
        self.step("language", lambda: self.button(7, 2, "Welcome"))
        self.step("look", lambda: self.button(7, 0, "Here are"))
        self.step("join", lambda: say(8, "/start " + self.code))
        self.step("joined", lambda: self.button(8, 0, "This code"))
        for c in strict.COMMANDS:
            self.step(c, lambda: [say(7, c), say(8, c), say(9, c)], 3)
        self.step("card", lambda: self.button(9, 0, "Coming up"))
        for k in range(3):
            self.step("card %d" % k, lambda: self.button(9, k, "\u2068Evening circle"))
        s.meet(-1001)
        self.step("group", lambda: say(7, "/profile@alum_bot", chat=-1001))
        self.step("chosen", lambda: self.button(8, 0, "Which language"), 0)
        self.step("privacy", lambda: say(8, "/privacy"))
        self.step("blocked", lambda: s.member(9, "kicked"), 0)
        self.step("back", lambda: s.member(9, "member"), 0)
        self.step("nine", lambda: say(9, "/podcast"))
        self.step("stale", lambda: s.press(7, 1, "forged.1"))
        self.step("mydata", lambda: say(8, "/mydata"))

    def end(self, bot):
        """Until nothing more is to be sent."""
        def done():
            db = sqlite3.connect("file:%s?mode=ro" % bot.path("bot.db"), uri=True)
            try:
                return not db.execute("SELECT count(*) FROM delivery WHERE state < 2").fetchone()[0]
            finally:
                db.close()
        self.s.wait(lambda: not self.s.queue and not self.s.callbacks and done(), 30)
        self.s.wait(lambda: False, 0.2)

    def heard(self):
        return {chat: [m.get("text", m.get("caption")) for m in self.s.ledger(chat)]
                for chat in list(self.s.messages)}


def stop(server, bot, hour):
    """Its last requests may be the ones it dies at: then it is stopped once more."""
    status, _ = bot.stop()
    if status == -9:
        assert server.killed and server.alive.wait(10), "it was killed by somebody else"
        server.wait(server.rests, 10)
        hour.end(bot)
        status, _ = bot.stop()
    assert status == 0, "exit %r: %s" % (status, bot.said()[-800:])


def one(at, phase):
    """An hour with one death: (requests, what everybody heard, what steps brought, which were left out, in doubt,
    what it died at)."""
    server = Killer()
    server.start()
    server.at, server.phase = at, phase
    program, played.BOT = played.BOT, FAST if os.path.exists(FAST) else played.BOT
    bot = server.bot = played.Bot(server)
    try:
        with open(bot.path("bot.ini"), "a") as f:
            f.write(strict.MORE.format(root=os.getcwd()))
        made = bot.command("invite", "--role", "member", "--org", "arava").stdout
        code = re.search(r"j_[\w-]{22}", made).group(0)
        bot.start()
        assert bot.ready(), bot.said()[-800:]
        hour = Hour(server, code)
        hour.play()
        hour.end(bot)
        assert server.wait(lambda: not server.queue, 10), "an update is lost at %d %s" % (at, phase)
        assert not server.callbacks, "a press is not answered at %d %s" % (at, phase)
        stop(server, bot, hour)
        doubt = strict.in_doubt(bot)
        assert not server.violations, server.violations
        return server.count, hour.heard(), hour.brought, hour.left_out, doubt, server.killed
    finally:
        played.BOT = program
        bot.end()


def compare(at, phase, clean, plan, got):
    _, heard, _, left, doubt, killed = got
    where = "%s %s (request %d)" % (killed, phase, at)
    missing, which = 0, []
    for chat, texts in clean.items():
        rest = list(texts) + [OTHERWISE] * len(heard.get(chat, []))
        for text in heard.get(chat, []):
            # Where a step was left out what comes later may read otherwise; but nothing comes twice.
            assert text in rest or (left and text not in texts), (
                "doubled at %s: %r" % (where, text[:80]))
            rest.remove(text if text in rest else OTHERWISE)
        # A picture is drawn beside the loop: one that was not finished is pressed for again.
        changed = len(heard.get(chat, [])) - rest.count(OTHERWISE)
        rest = [text for text in rest if text != OTHERWISE]
        which += [(chat, text[:30]) for text in rest]
        missing -= changed
        missing += len([text for text in rest if not text.startswith("The event as a picture")])
    left_out = sum(plan[name] for name in left)
    assert missing - left_out <= doubt, "%d messages lost at %s, %d in doubt: %r" % (
        missing - left_out, where, doubt, which)
    return missing - left_out


def attempt(point):
    """In a process of its own: (point, what one() gives, what failed)."""
    try:
        return point, one(*point), None
    except AssertionError as why:
        return point, None, str(why)


def chosen(total):
    points = [(n, phase) for n in range(1, total + 1) for phase in PHASES]
    if CHOSEN == "all":
        return points
    if CHOSEN:
        first, last = CHOSEN.split("-")
        return [p for p in points if int(first) <= p[0] <= int(last)]
    return points[::max(1, len(points) // SAMPLES) | 1]


def telegram_sweep_of_a_scripted_hour():
    total, clean, plan, left, doubt, _ = one(0, None)
    assert doubt == 0 and not left, (doubt, left)
    points = chosen(total)
    missing, unreached, wrong = 0, 0, []
    with multiprocessing.get_context("spawn").Pool(AT_ONCE) as pool:
        for point, got, why in pool.imap_unordered(attempt, points):
            try:
                assert got, "%s at %r" % (why, point)
                unreached += not got[5]
                missing += max(0, compare(*point, clean, plan, got))
            except AssertionError as no:
                wrong.append(str(no))
    assert not wrong, "%d of %d:\n# %s" % (len(wrong), len(points), "\n# ".join(wrong))
    # How many polls there are hangs on the moment; the last of them may not come.
    assert unreached <= 2 + len(points) // 20, "%d of %d points were never reached" % (
        unreached, len(points))
    print("# %d requests in the hour, %d kills: 0 updates lost, 0 messages doubled, %d did not arrive, "
          "each of them counted as in doubt; %d points not reached" % (
              total, len(points) - unreached, missing, unreached))


def main():
    if os.environ.get("ONLY", "") not in "telegram_sweep_of_a_scripted_hour":
        return 0
    if not os.path.exists(played.BOT):
        print("ok 1 - telegram_sweep # skip %s is not built" % played.BOT)
        return 0
    start = time.time()
    try:
        telegram_sweep_of_a_scripted_hour()
        print("ok 1 - telegram_sweep_of_a_scripted_hour # %.1f s" % (time.time() - start))
        return 0
    except AssertionError as why:
        print("not ok 1 - telegram_sweep_of_a_scripted_hour\n# %s" % str(why)[:3000])
        return 1


if __name__ == "__main__":
    sys.exit(main())
