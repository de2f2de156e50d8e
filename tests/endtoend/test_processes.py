"""`run` beside `emulate`, as processes: changes, signals, and what keeps the daemon from starting."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from tests.endtoend.ring import Box, Daemon, until

SHOWN = {"BUSY": "Busy/Busy", "BE_RIGHT_BACK": "BeRightBack/BeRightBack"}
SWEPT = 0.8
"""Seconds until what was written has been read back; who takes it back sooner cannot be told from a late reading."""
QUICK = 1.0
"""Seconds in which a change arrives: 99 of 100 on a machine of our own; on one that stalls for seconds, the half."""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("box"))
    box.start()
    yield box
    assert box.stop() == 0


@pytest.fixture
def daemon(box: Box, tmp_path: Path) -> Iterator[Daemon]:
    changes = {"state": str(tmp_path / "state.db"), "control": str(tmp_path / "c.sock")}
    daemon = Daemon(tmp_path, box.configuration(**changes))
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()


def calm(box: Box) -> None:
    """Everybody is available everywhere, and Teams shows what its client says."""
    for person in box.people:
        box.say("symphony", person, "AVAILABLE")
        box.steer("teams", person, {"availability": "Available", "preferred": None})


def shows(box: Box, person: str, word: str) -> bool:
    """Whether Teams shows it."""
    return box.shows("teams", person) == word


def test_forty_changes_arrive_within_a_second(box: Box, daemon: Daemon) -> None:
    calm(box)
    daemon.start().wait_ready()

    def changes(person: str) -> list[float]:
        times = []
        for number in range(6):
            word = ("BUSY", "BE_RIGHT_BACK")[number % 2]
            box.say("symphony", person, word)
            times.append(until(partial(shows, box, person, SHOWN[word]), look=0.01))
            time.sleep(1.2)  # nobody answers before a sweep has seen it
            time.sleep(SWEPT)
            box.say("teams", person, "Available")
            times.append(until(lambda: box.shows("symphony", person) == "AVAILABLE", look=0.01))
            time.sleep(SWEPT)
        return times

    with ThreadPoolExecutor() as threads:
        times = sorted(chain.from_iterable(threads.map(changes, box.people)))
    p99 = statistics.quantiles(times, n=100)[98]
    print(f"{len(times)} changes: p50 {statistics.median(times):.3f} s, p99 {p99:.3f} s, worst {times[-1]:.3f} s")
    assert statistics.median(times) < QUICK
    assert daemon.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signs_out_and_leaves_nothing_behind(box: Box, daemon: Daemon, number: signal.Signals) -> None:
    calm(box)
    daemon.start().wait_ready()
    box.say("symphony", "alice", "BUSY")
    until(lambda: box.shows("teams", "alice") == "Busy/Busy")
    time.sleep(0.5)
    assert daemon.end(number) == 0
    assert box.shows("teams", "alice") == "Available/Available"
    assert not Path(daemon.document["daemon"]["control"]).exists()
    assert daemon.events("stopped")
    assert "Traceback" not in daemon.log


def test_a_restart_changes_nothing_for_anybody(box: Box, daemon: Daemon) -> None:
    calm(box)
    daemon.start().wait_ready()
    box.say("symphony", "alice", "BUSY")
    until(lambda: box.shows("teams", "alice") == "Busy/Busy")
    time.sleep(0.5)
    daemon.end(signal.SIGTERM)
    before = len(box.writes("symphony"))
    daemon.start().wait_ready()
    until(lambda: box.shows("teams", "alice") == "Busy/Busy")
    time.sleep(2)
    assert box.shows("symphony", "alice") == "BUSY"
    assert len(box.writes("symphony")) == before
    daemon.end(signal.SIGTERM)


def test_sighup_takes_a_good_file_and_refuses_a_bad_one(box: Box, daemon: Daemon) -> None:
    calm(box)
    daemon.start().wait_ready()
    good = daemon.path.read_text()
    daemon.path.write_text(good.replace("sweep", "sweeep", 1))
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.metric("config_last_reload_successful") == 0)
    refused = [event["problem"] for event in daemon.events("configuration refused")]
    assert len(refused) == 1
    assert 'sweeep: unknown key (did you mean "sweep"?)' in refused[0]
    answer = daemon.order("reload")
    assert (answer["status"], answer["error"]) == (422, refused)
    del daemon.document["account"][2]
    daemon.write()
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.metric("config_last_reload_successful") == 1)
    assert [event["removed"] for event in daemon.events("reloaded")] == [1]
    box.say("symphony", "alice", "BUSY")
    until(lambda: box.shows("teams", "alice") == "Busy/Busy")
    assert daemon.end(signal.SIGTERM) == 0


def test_what_is_taken_already_is_told(box: Box, daemon: Daemon, tmp_path: Path) -> None:
    daemon.start().wait_ready()
    other = Daemon(tmp_path, box.configuration(), "other")
    other.document["daemon"] |= {"http": daemon.document["daemon"]["http"], "control": str(tmp_path / "o.sock")}
    assert other.start().end() == 1
    assert "cannot listen on 127.0.0.1" in other.log
    assert "address already in use" in other.log.lower()
    third = Daemon(tmp_path, box.configuration(), "third")
    third.document["daemon"] |= {"state": daemon.document["daemon"]["state"], "control": str(tmp_path / "t.sock")}
    assert third.start().end() == 1
    assert "another presence-syncd uses it" in third.log
    fourth = Daemon(tmp_path, box.configuration(), "fourth")
    fourth.document["daemon"] |= {"control": daemon.document["daemon"]["control"]}
    assert fourth.start().end() == 1
    assert Path(daemon.document["daemon"]["control"]).exists()  # the running one's is left alone
    assert daemon.order("reload")["status"] == 200
    for each in (other, third, fourth):
        assert "Traceback" not in each.log
    daemon.end(signal.SIGTERM)


@pytest.mark.parametrize("wrong", ["key", "secret", "damaged"])
def test_what_is_wrong_lets_nothing_start(box: Box, daemon: Daemon, tmp_path: Path, wrong: str) -> None:
    if wrong == "key":
        daemon.document["policy"]["settel"] = "2s"
    elif wrong == "secret":
        (tmp_path / "secret").touch()
        os.chmod(tmp_path / "secret", 0o644)
        daemon.document["services"]["teams"]["client_secret"] = {"file": str(tmp_path / "secret")}
    else:
        (tmp_path / "state.db").write_bytes(b"no database" * 1000)
    asked = len(box.writes("teams"))
    assert daemon.start().end() == (1 if wrong == "damaged" else 78)
    told = {"key": "policy.settel: unknown key", "secret": "client_secret", "damaged": "move it away to start afresh"}
    assert told[wrong] in daemon.log
    assert len(daemon.log.splitlines()) == 1
    assert not (tmp_path / "c.sock").exists()
    assert len(box.writes("teams")) == asked


def test_emulators_that_are_killed_and_come_back_heal_by_themselves(tmp_path: Path) -> None:
    """They come back with other secrets and keys, too. How long a version counter is mistrusted: see test_daemon."""
    box = Box(tmp_path)
    box.start()
    daemon = Daemon(tmp_path, box.configuration()).start().wait_ready()
    try:
        box.say("symphony", "alice", "BUSY")
        until(lambda: box.shows("teams", "alice") == "Busy/Busy")
        box.stop(signal.SIGKILL)
        time.sleep(1)
        box.start()
        box.say("symphony", "bob", "BE_RIGHT_BACK")
        took = until(lambda: box.shows("teams", "bob") == "BeRightBack/BeRightBack")
        print(f"healed {took:.1f} s after the emulators were back")
        assert daemon.end(signal.SIGTERM) == 0
        assert "Traceback" not in daemon.log
    finally:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait()
        box.stop()


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("meanwhile", [None, "BE_RIGHT_BACK"])
def test_a_kill_in_the_middle_of_the_farewell_echoes_nothing_and_loses_no_word(
    box: Box, daemon: Daemon, apply: bool, meanwhile: str | None
) -> None:
    """Whether the service had taken our session back already, or not."""
    calm(box)
    daemon.start().wait_ready()
    box.say("symphony", "alice", "BUSY")
    until(lambda: shows(box, "alice", "Busy/Busy"))
    time.sleep(SWEPT)
    farewell = {"times": 0, "path": r"clearPresence|\$batch", "delay": 5.0, "apply": apply, "hang": not apply}
    box.client.post(box.url("teams", "faults"), json=farewell).raise_for_status()
    daemon.send(signal.SIGTERM)
    until(lambda: bool(daemon.events("stopping")))
    time.sleep(0.7)
    assert not daemon.events("stopped")
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    box.client.delete(box.url("teams", "faults")).raise_for_status()
    before = len(box.writes("symphony"))
    if meanwhile:
        box.say("symphony", "alice", meanwhile)
    daemon.start().wait_ready()
    until(lambda: shows(box, "alice", SHOWN[meanwhile or "BUSY"]))
    time.sleep(2)
    assert box.shows("symphony", "alice") == (meanwhile or "BUSY")
    assert shows(box, "alice", SHOWN[meanwhile or "BUSY"])
    assert len(box.writes("symphony")) == before
    assert daemon.end(signal.SIGTERM) == 0
    assert "Traceback" not in daemon.log
