"""No secret is seen: the real process, every kind of secret, every kind of trouble, and everything it puts out.

The secrets are those of the emulated tenant, and a certificate's key; what is looked through is the log with its
tracebacks, the pages, what the commands print, and the state file as it lies on the disk.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.connectors.graph.test_auth import pair  # noqa: F401  # a fixture
from tests.endtoend.office import private
from tests.endtoend.ring import COMMAND, Box, Daemon, until

TROUBLE = (
    {"status": 500, "body": "<html>no</html>"},
    {"status": 200, "body": '{"value": {"availability": 7'},
    {"status": 200, "body": '[["wrong"]]'},
    {"hang_up": True},
    {"status": 401, "body": "{}"},
)
"""What each service answers to all that it is asked, one after the other; the refusal, not probed soon, comes last."""
EACH = 2.5
"""Seconds each kind of trouble lasts."""
TOKENS = ("Bearer ey", "eyJ")
"""How tokens begin that the services gave for the secrets."""


def secrets(folder: Path) -> dict[str, set[str]]:
    """Every line of every secret, by kind."""
    kinds: dict[str, set[str]] = {}
    for file in folder.iterdir():
        if kind := re.match(r"graph-secret|graph-key|skype|blackberry|symphony-key", file.name):
            lines = file.read_text().splitlines()
            kinds.setdefault(kind[0], set()).update(x for x in lines if len(x) >= 8 and "PRIVATE KEY" not in x)
    return kinds


def said(daemon: Daemon, *command: str) -> str:
    """What a command prints, both ways."""
    whole = [*COMMAND, *command, "--config", str(daemon.path)]
    return subprocess.run(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def switches(box: Box) -> list[str]:
    """Where the faults of each service are switched."""
    tables = box.document["services"].values()
    urls = [
        next(str(table[key]) for key in ("graph_url", "pod", "url", "discovery") if key in table) for table in tables
    ]
    return [f"http://{url.split('/')[2]}/_emulator/faults" for url in urls]


def make_trouble(box: Box, ask: Callable[[], None]) -> None:
    """Let every service go through every kind of trouble, while somebody looks."""
    for answer in TROUBLE:
        for url in switches(box):
            box.client.post(url, json={"times": 0, **answer}).raise_for_status()
        begun = time.monotonic()
        while time.monotonic() < begun + EACH:
            ask()
            time.sleep(0.3)
        for url in switches(box):
            box.client.delete(url).raise_for_status()


def test_no_secret_is_seen_whatever_happens(tmp_path: Path, pair: tuple[str, str]) -> None:  # noqa: F811
    box = Box(tmp_path)
    box.start()
    document = box.configuration()
    document["policy"]["writer"] = ["skype", "blackberry"]
    document["services"] = {name: dict(table) for name, table in box.document["services"].items()}
    document["account"] = [dict(account) for account in box.document["account"]]
    (tmp_path / "cert.pem").write_text(pair[0])
    key = {"file": str(private(tmp_path / "graph-key", pair[1]))}
    by_certificate = {k: v for k, v in document["services"]["teams"].items() if k != "client_secret"}
    document["services"]["certified"] = {
        **by_certificate,
        "certificate": {"certificate": str(tmp_path / "cert.pem"), "private_key": key},
    }
    document["account"].append({"name": "dave", "links": {"certified": box.document["account"][0]["links"]["teams"]}})
    daemon = Daemon(tmp_path, document)
    watched = (tmp_path / "watched").open("wb")
    watching = None
    printed: list[str] = []

    def ask() -> None:
        printed.append(httpx.get(f"{daemon.url}/metrics").text)
        printed.append(httpx.get(f"{daemon.url}/-/ready").text)
        printed.extend(httpx.get(f"{daemon.url}/api/v1/accounts/{who}").text for who in ("alice", "dave"))

    try:
        os.environ["PYTHONFAULTHANDLER"] = "1"
        daemon.start()
        until(lambda: "alice" in said(daemon, "status"), 30)
        watching = subprocess.Popen(
            [*COMMAND, "watch", "--json", "--config", str(daemon.path)], stdout=watched, stderr=watched
        )
        make_trouble(box, ask)
        box.say("symphony", "alice", "BUSY")
        printed += [said(daemon, "status"), said(daemon, "status", "--json")]
        printed += [said(daemon, "explain", "alice", *how) for how in ((), ("--json",))]
        daemon.send(signal.SIGABRT)  # as the watchdog does: every thread's stack is printed
        assert daemon.end() == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log
        watching.wait(10)
    finally:
        os.environ.pop("PYTHONFAULTHANDLER", None)
        for process in (daemon.process, watching):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        watched.close()
        box.stop()
    state = b"".join(file.read_bytes() for file in tmp_path.glob("own.db*"))
    everything = "\n".join((*printed, daemon.log, (tmp_path / "watched").read_text(), state.decode(errors="replace")))
    kinds = secrets(tmp_path)
    assert kinds.keys() == {"graph-secret", "graph-key", "skype", "blackberry", "symphony-key"}
    assert {event["error"] for event in daemon.events("trouble")} >= {"Unavailable", "AuthRejected"}
    assert len(state) > 1000
    assert '"event": "trouble"' in (tmp_path / "watched").read_text()
    seen = [f"{kind}: {line[:4]}…" for kind, lines in kinds.items() for line in lines if line in everything]
    assert seen == []
    assert [token for token in TOKENS if token in everything] == []
