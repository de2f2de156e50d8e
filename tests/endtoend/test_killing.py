"""kill -9 at any moment, again and again, while people go on changing their minds.

The one rule: the verdict is read from the emulators: what they show, and every write they took.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.endtoend.ring import Box, Daemon, until

ROUNDS = int(os.environ.get("PRESENCE_SYNCD_ROUNDS", "8"))
"""Rounds of killing; 50 of them are run on demand."""
PACE = 6.0 if ROUNDS <= 10 else 10.0
"""Seconds between two words of a person; so that they do not run into each other."""
TEAMS_OF = {"AVAILABLE": "Available/Available", "BUSY": "Busy/Busy", "BE_RIGHT_BACK": "BeRightBack/BeRightBack"}
SYMPHONY_OF = {"Available": "AVAILABLE", "DoNotDisturb": "BUSY", "BeRightBack": "BE_RIGHT_BACK", "Busy": "BUSY"}


@dataclass
class Person:
    """Somebody who speaks now and then. `said` is (Unix s, service, word)."""

    name: str
    rng: random.Random
    said: list[tuple[float, str, str]] = field(default_factory=list)

    def may_speak(self, box: Box) -> None:
        """Say something else than what is shown, in either service, if it is time."""
        last = self.said[-1][0] if self.said else 0.0
        if time.time() < last + PACE * self.rng.uniform(0.9, 1.1):
            return
        service = self.rng.choice(("teams", "symphony"))
        shown = (box.shows("teams", self.name), box.shows("symphony", self.name))
        words = SYMPHONY_OF if service == "teams" else TEAMS_OF
        others = [w for w in words if w not in shown[1] and not shown[0].startswith(w) and w != "Busy"]
        others = [w for w in others if SYMPHONY_OF.get(w, w) != shown[1]]
        word = self.rng.choice(others)
        self.said.append((time.time(), service, word))
        box.say(service, self.name, word)

    def agrees(self, box: Box) -> bool:
        """Whether both services show the last word."""
        _, service, word = self.said[-1]
        teams, symphony = box.shows("teams", self.name), box.shows("symphony", self.name)
        if service == "teams":
            return (teams.split("/")[0], symphony) == (word, SYMPHONY_OF[word])
        return (teams, symphony) == (TEAMS_OF[word], word)

    def caused(self, service: str, value: str, at: float) -> bool:
        """Whether a write to `service` says what this person said elsewhere, last or, just then, before."""
        before = [(when, where, word) for when, where, word in self.said if when <= at]
        recent = before[-1:] + [said for said in before[-2:-1] if at < before[-1][0] + 3]
        translated = SYMPHONY_OF if service == "symphony" else TEAMS_OF
        return any(where != service and translated[word].split("/")[0] in value for _, where, word in recent)


def writes_without_cause(box: Box, people: list[Person], begun: float) -> list[str]:
    """Writes that say what no person said."""
    found = []
    for person in people:
        for service in ("teams", "symphony"):
            for write in box.writes(service):
                mine = str(write["user"]) == box.key(service, person.name) and write["at"] > begun
                quiet = write["value"] in ("", "Away/Away")  # taking back, or the lowest session below a state
                if mine and not quiet and not person.caused(service, write["value"], write["at"]):
                    found.append(f"{person.name} {service} {write}")
    return found


@pytest.mark.parametrize("seed", [int(os.environ.get("PRESENCE_SYNCD_SEED", "7"))])
def test_kill_minus_nine_at_any_moment_loses_no_word_and_echoes_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    box = Box(tmp_path)
    box.start()
    daemon = Daemon(tmp_path, box.configuration(log={"level": "info"}))
    people = [Person("alice", random.Random(seed + 1)), Person("bob", random.Random(seed + 2))]
    try:
        daemon.start().wait_ready()
        begun = time.time()
        daemon.order("accounts/carol/pin", status="dnd", seconds=3600, reason="exam")
        until(lambda: box.shows("teams", "carol") == "DoNotDisturb/DoNotDisturb")
        carol = len([w for w in box.writes("teams") if str(w["user"]) == box.key("teams", "carol")])
        time.sleep(1)
        for number in range(ROUNDS):
            live(box, people, rng.uniform(0.3, 2.5))
            assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
            live(box, people, rng.uniform(0.0, 0.3))
            daemon.start()
            if number == ROUNDS // 2:
                daemon.wait_ready().order("accounts/carol/pause")
        for person in people:
            until(lambda person=person: person.agrees(box), 60)  # type: ignore[misc]
        time.sleep(3)
        assert all(person.agrees(box) for person in people)
        assert box.shows("teams", "carol") == "DoNotDisturb/DoNotDisturb"
        told = {a["account"]: a for a in daemon_accounts(daemon)}
        assert told["carol"]["reasons"] == {"teams": "paused", "symphony": "paused"}
        assert told["carol"]["from"] == "pin"
        again = len([w for w in box.writes("teams") if str(w["user"]) == box.key("teams", "carol")]) - carol
        assert again <= 2  # a write of which nobody knows whether it was done is done again
        assert writes_without_cause(box, people, begun) == []
        assert daemon.end(signal.SIGTERM) == 0
        assert remembered(tmp_path / "own.db", "carol") is not None
        assert "Traceback" not in daemon.log
        words, writes = sum(len(p.said) for p in people), sum(len(box.writes(s)) for s in ("teams", "symphony"))
        print(f"{ROUNDS} rounds, {words} words, {writes} writes, none without a cause")
    finally:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait()
        box.stop()


def live(box: Box, people: list[Person], seconds: float) -> None:
    """Let people speak for a while."""
    until_ = time.monotonic() + seconds
    while time.monotonic() < until_:
        for person in people:
            person.may_speak(box)
        time.sleep(0.05)


def daemon_accounts(daemon: Daemon) -> list[dict[str, object]]:
    """What the daemon says of everybody."""
    import httpx

    daemon.wait_ready()
    return list(httpx.get(f"{daemon.url}/api/v1/accounts").json())


def remembered(path: Path, account: str) -> str | None:
    """The fact that the Teams link keeps while a preferred state of ours may be there."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT value FROM memory WHERE account = ? AND key = 'preferred'", (account,)).fetchone()
    return None if found is None else str(found[0])
