"""What systemd hears, on real datagram sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from presence_syncd.web.systemd import notify, reloading, watchdog_seconds


@pytest.mark.parametrize("abstract", [False, True])
def test_facts_come_in_one_datagram(tmp_path: Path, abstract: bool) -> None:
    name = f"presence-syncd-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name if abstract else name)
        heard.settimeout(5)
        assert notify("READY=1", "STATUS=well", environ={"NOTIFY_SOCKET": "@" + name if abstract else name})
        assert heard.recv(1000) == b"READY=1\nSTATUS=well"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_outside_systemd_nothing_is_sent_and_nothing_fails(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_three_times_as_often_as_it_wants(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


def test_a_reload_says_when_it_began() -> None:
    word, at = reloading()
    assert word == "RELOADING=1"
    assert int(at.removeprefix("MONOTONIC_USEC=")) > 0
