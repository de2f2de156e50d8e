"""The whole ring as processes: `emulate`, and `run` beside it, over real sockets.

The one rule: everything is done as an administrator would: by a file, a signal, HTTP.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import tomli_w

COMMAND = [sys.executable, "-m", "presence_syncd"]
PATIENCE = 20.0
"""Seconds a process may take for anything; the machine may be busy."""


def until(holds: Callable[[], bool], seconds: float = PATIENCE, look: float = 0.02) -> float:
    """Wait until something holds; returns the seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise TimeoutError
        time.sleep(look)
    return time.monotonic() - began


def free_ports(count: int) -> int:
    """The first of some ports in a row that nobody uses, below those that connections go out from."""
    firsts = range(10_000, 32_000, count)
    return next(n for n in random.sample(firsts, len(firsts)) if all(_is_free(n + number) for number in range(count)))


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Box:
    """`emulate` in a process, and the people in it by name."""

    folder: Path
    first: int = field(default_factory=lambda: free_ports(4))
    client: httpx.Client = field(default_factory=httpx.Client)
    process: subprocess.Popen[str] | None = None
    document: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Start it and wait until it answers; the first time on other ports if somebody else takes these meanwhile."""
        self.client = httpx.Client(timeout=5)
        while not self._announces() and not self.document:
            self.first = free_ports(4)
        self.document = tomllib.loads((self.folder / "presence-syncd.toml").read_text())
        for person in self.people:
            self.steer("teams", person, {"availability": "Available"})

    def _announces(self) -> bool:
        """Whether it starts, and says so; else it is over."""
        command = [*COMMAND, "emulate", "--folder", str(self.folder), "--port", str(self.first)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        if any(line.startswith("presence-syncd run") for line in self.process.stdout):
            return True
        self.process.stdout.close()
        self.process.wait()
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self.process is not None
        self.client.close()
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode

    @property
    def people(self) -> list[str]:
        """Everybody's name."""
        return [account["name"] for account in self.document["account"]]

    def key(self, service: str, person: str) -> str:
        """A person's id in Teams or Symphony."""
        account = next(a for a in self.document["account"] if a["name"] == person)
        return str(account["links"][service]["user" if service == "teams" else "user_id"])

    def url(self, service: str, what: str) -> str:
        """Where a service is steered."""
        table = self.document["services"][service]
        return f"{table['graph_url' if service == 'teams' else 'pod']}/_emulator/{what}"

    def steer(self, service: str, person: str, order: dict[str, Any]) -> None:
        """Let a person do something."""
        self.client.post(self.url(service, f"people/{self.key(service, person)}"), json=order).raise_for_status()

    def say(self, service: str, person: str, word: str) -> None:
        """The person picks a state in their client."""
        self.steer(service, person, {"preferred" if service == "teams" else "category": word})

    def shows(self, service: str, person: str) -> str:
        """What colleagues see."""
        told = self.client.get(self.url(service, "people")).json()
        if service == "teams":
            return str(told["people"][self.key(service, person)])
        return next(str(p["shown"]) for p in told if str(p["id"]) == self.key(service, person))

    def writes(self, service: str) -> list[dict[str, Any]]:
        """Every write a service took: `at` (Unix s), `user`, `value`."""
        return list(self.client.get(self.url(service, "writes")).json()["writes"])

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """A configuration of Teams and Symphony only, quick, with changes of `[daemon]`."""
        port = free_ports(1)
        services = {name: {**self.document["services"][name], "sweep": "500ms"} for name in ("teams", "symphony")}
        accounts = [
            {"name": a["name"], "links": {name: a["links"][name] for name in services}}
            for a in self.document["account"]
        ]
        daemon = {
            "state": str(self.folder / "own.db"),
            "control": str(self.folder / "own.sock"),
            "http": f"127.0.0.1:{port}",
            "log": {"level": "debug"},
            **changes,
        }
        policy = {"settle": "0s", "settle_fade": "5s"}
        return {"daemon": daemon, "policy": policy, "services": services, "account": accounts}


@dataclass
class Daemon:
    """`run` in a process. Everything it says is in `log`."""

    folder: Path
    document: dict[str, Any]
    name: str = "own"
    process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        """Its configuration."""
        return self.folder / f"{self.name}.toml"

    @property
    def log(self) -> str:
        """All it said, of every life."""
        return (self.folder / f"{self.name}.log").read_text()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.document['daemon']['http']}"

    def write(self) -> None:
        """Write the configuration."""
        self.path.write_text(tomli_w.dumps(self.document))

    def start(self) -> Daemon:
        """Start it, and do not wait."""
        self.write()
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen([*COMMAND, "run", "--config", str(self.path)], stdout=log, stderr=log)
        return self

    def wait_ready(self) -> Daemon:
        """Wait until everybody was read everywhere."""
        until(self.is_ready)
        return self

    def is_ready(self) -> bool:
        """Whether everybody was read everywhere."""
        try:
            accounts = httpx.get(f"{self.url}/api/v1/accounts").json()
        except httpx.TransportError:
            return False
        return bool(accounts) and all(None not in account["shows"].values() for account in accounts)

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"presence_syncd_{name} ")))

    def order(self, path: str, **body: Any) -> dict[str, Any]:
        """Ask for something over the control socket."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=self.document["daemon"]["control"])) as client:
            answer = client.post(f"http://control/api/v1/{path}", json=body, timeout=20)
            return {"status": answer.status_code, **answer.json()}

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> int:
        """Wait for its end, which a signal may bring; the exit code."""
        assert self.process is not None
        if number is not None:
            self.send(number)
        return self.process.wait(PATIENCE)

    def events(self, event: str) -> list[dict[str, Any]]:
        """What it logged of a kind."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if line["event"] == event]
