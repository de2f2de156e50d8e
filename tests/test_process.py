"""The process around the daemon: what systemd is told, and what an operator's orders lead to."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread, Timer

import anyio
import pytest

from presence_syncd import logs, process
from presence_syncd.core.presence import DND
from presence_syncd.errors import ConfigError
from presence_syncd.process import Orders, listen, read
from presence_syncd.store.sqlite import SqliteStore, StoreError
from presence_syncd.web.systemd import notify
from tests.endtoend.office import Office, office
from tests.virtual.backends import run as run_in_virtual_time


def prepared(folder: Path) -> Office:
    """An office whose services nobody serves: enough to start a process."""
    found: list[Office] = []

    async def make() -> None:
        async with office(folder) as here:
            here.load()
            found.append(here)

    run_in_virtual_time(make)
    return found[0]


def listen_to(sock: socket.socket, lines: list[str]) -> None:
    """Read as systemd does, until the end; a queue that nobody reads is soon full, and then its writers wait."""
    sock.settimeout(20)
    while "END" not in lines:
        lines += sock.recv(4096).decode().splitlines()


def test_systemd_is_told_of_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = prepared(tmp_path)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        lines: list[str] = []
        listener = Thread(target=listen_to, args=(systemd, lines))
        listener.start()
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        timers = [Timer(1.5, os.kill, (os.getpid(), signal.SIGHUP)), Timer(3.0, os.kill, (os.getpid(), signal.SIGTERM))]
        for timer in timers:
            timer.start()
        process.run(read(here.path), here.path)
        for timer in timers:
            timer.join()
        notify("END")
        listener.join()
    assert lines[:2] == ["READY=1", "STATUS=keeping 3 accounts in 2 services"]
    assert lines.count("WATCHDOG=1") > 5
    assert lines.index("RELOADING=1") < lines.index("STOPPING=1")
    assert lines.count("READY=1") == 2
    assert "STATUS=signing out" in lines
    assert any(line.startswith("MONOTONIC_USEC=") for line in lines)
    assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in lines)
    assert not (tmp_path / "c.sock").exists()


def test_a_file_found_damaged_while_it_is_read_is_told_as_such(tmp_path: Path) -> None:
    here = prepared(tmp_path)
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)):
        pass

    async def make() -> None:
        await SqliteStore(path).aclose()

    anyio.run(make)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE memory")
    with pytest.raises(StoreError, match="move it away to start afresh"):
        process.run(read(here.path), here.path)
    assert not (tmp_path / "c.sock").exists()


def test_both_sockets_or_none(tmp_path: Path) -> None:
    here = prepared(tmp_path)
    (tmp_path / "c.sock").mkdir()
    with pytest.raises(OSError, match="in use"):
        listen(read(here.path))


def test_what_is_missing_on_this_machine_refuses_a_configuration(tmp_path: Path) -> None:
    here = prepared(tmp_path)
    (tmp_path / "graph-secret").unlink()
    with pytest.raises(ConfigError, match="graph-secret"):
        read(here.path)


def test_orders_reach_the_daemon(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path) as here, here.running() as daemon:
            await anyio.sleep(5)
            orders = Orders(daemon, here.path)
            await orders.pin("alice", DND, 60.0, "exam")
            await orders.pause("bob", paused=True)
            assert daemon.tasks["alice"].board.view.pin is not None
            assert daemon.tasks["bob"].board.view.paused
            await orders.unpin("alice")
            assert daemon.tasks["alice"].board.view.pin is None
            orders.kill("carol")
            await anyio.sleep(5)
            assert daemon.supervisor.children["carol"].restarts == 1

    run_in_virtual_time(main)


def test_trouble_with_the_state_file_is_logged_at_both_ends(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path) as here:
            process._tell_store(logs.get(), "disk full")
            process._tell_store(logs.get(), "")
            assert '"said":"disk full","event":"state is not kept","level":"error"' in here.log.getvalue()
            assert '"event":"state is kept again","level":"info"' in here.log.getvalue()

    run_in_virtual_time(main)
