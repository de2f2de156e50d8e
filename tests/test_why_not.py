"""`explain` answers why something is not written, or not known: each reason is made, and asked about."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.core.presence import DND
from presence_syncd.daemon import Daemon
from presence_syncd.report import Report
from presence_syncd.sentences import story
from tests.endtoend.office import Office, guid, office, until
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time

# trio tells of generators inside httpx that nobody closes when a request is cancelled; asyncio closes them silently
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")


def told(daemon: Daemon, person: str = "alice") -> str:
    """What `explain` prints of a person."""
    account = Report(daemon).account(person)
    assert account is not None
    return "\n".join(f"{part.heading}\n" + "\n".join(part.lines) for part in story(account))


async def _busy(here: Office, seconds: float = 5.0) -> None:
    await anyio.sleep(5)
    here.say("alice", "BUSY")
    await anyio.sleep(seconds)


async def test_paused(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await daemon.pause("alice", paused=True, by="ops")
        await _busy(here)
        text = told(daemon)
        assert "It is paused: nothing is written until `presence-syncd resume alice`." in text
        assert "It should show Busy/Busy." in text
        assert "paused by ops: nothing is written" in text


async def test_pinned(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        await daemon.pin("alice", DND, 3600.0, "on stage", by="ops")
        await anyio.sleep(10)
        here.say("alice", "BE_RIGHT_BACK")
        await anyio.sleep(5)
        text = told(daemon)
        assert "ops pinned it, for another 59 min" in text
        assert "): on stage. A pin is above all words." in text
        assert "The person's own words meanwhile: available in teams, brb in symphony." in text
        assert "pinned to dnd for 1 h by ops: on stage" in text


async def test_a_link_that_is_only_read(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.document["account"][0]["links"]["teams"]["direction"] = "read"
        async with here.running() as daemon:
            await _busy(here)
            assert "The link's direction is read: nothing is ever written here (read-only)." in told(daemon)


async def test_shadowed(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.symphony.faults.add(Answer(200, method="POST", times=0, path="user/presence", body="{}"))
        here.teams.choose(guid("alice"), "DoNotDisturb")
        await anyio.sleep(300)
        text = told(daemon)
        assert "It was accepted, but the service shows something of higher rank; it is not written again" in text
        assert "BUSY was accepted, but AVAILABLE is shown, of higher rank" in text


async def test_a_budget_that_is_used_up(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        daemon.drivers["teams"].budget.pause(120.0)
        await _busy(here)
        text = told(daemon)
        assert "It waits for the service's request budget: the service asked for a pause, of which 1 min" in text
        await until(lambda: here.shows("alice")[0] == "Busy/Busy", 180)
        assert "request budget" not in told(daemon)


async def test_parked_for_its_credentials(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        (tmp_path / "graph-secret").write_text("another")
        here.teams.login.grants.clear()
        await _busy(here, 30)
        text = told(daemon)
        assert "It is parked (AuthRejected): a service refuses its credentials" in text
        assert "AuthRejected: " in text
        (tmp_path / "graph-secret").write_text("canary-client-secret-1")
        daemon.kill("alice", by="ops")  # what RUNBOOK says: it makes it try at once
        await until(lambda: here.shows("alice")[0] == "Busy/Busy", 15)


async def test_parked_because_it_breaks(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        child = daemon.supervisor.children["alice"]
        for times in range(6):
            await until(lambda times=times: child.restarts == times and child.state == "running")  # type: ignore[misc]
            daemon.kill("alice")
        await until(lambda: child.restarts == 6)
        await _busy(here)
        text = told(daemon)
        assert "Its task broke too often and rests for a while; `presence-syncd restart alice` starts it" in text
        daemon.kill("alice")
        await until(lambda: here.shows("alice")[0] == "Busy/Busy", 15)


async def test_a_service_that_is_down(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.network.hosts["teams.test"].refuses = True
        here.network.hosts["teams.test"].cut()
        await _busy(here, 20)
        text = told(daemon)
        assert "The last try failed; the next one waits (backoff)." in text
        assert "Trouble for " in text
        assert "Unavailable: " in text
        here.network.hosts["symphony.test"].refuses = True
        here.network.hosts["symphony.test"].cut()
        await anyio.sleep(20)
        assert "it cannot be read: Unavailable: " in told(daemon).partition("symphony: busy")[2]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("ignore", 'The person wrote a note in teams; it is not mirrored, by the policy note = "ignore".'),
        ("mirror", "The person wrote a note in teams; it is mirrored, but symphony cannot be given one."),
    ],
)
async def test_a_note_that_is_not_mirrored(tmp_path: Path, policy: str, said: str) -> None:
    async with office(tmp_path, note=policy) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.teams.calls.person(guid("alice")).change(here.teams.clock.now(), message="gone fishing")
        await anyio.sleep(5)
        text = told(daemon)
        assert said in text
        assert "fishing" not in text
