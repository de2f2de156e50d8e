"""A site for real: an emulated tenant, the daemon, and a Prometheus that scrapes it, as processes on loopback.

The one rule: times are the only thing that is not as it would be; a minute of the rules is a second here.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import tomli_w

from tests.deploy.places import REPOSITORY, RULES, tool

SCRAPE = "500ms"
LONGEST = 45.0
"""Seconds to wait for anything."""
THRESHOLDS = {
    "presence_syncd_feed_age_seconds > presence_syncd_feed_age_limit_seconds": "presence_syncd_feed_age_seconds > 2",
    "presence_syncd_behind_seconds > 600": "presence_syncd_behind_seconds > 5",
    "))) > 15": "))) > 1",
}
"""Numbers of the rules that are seconds."""


def hurried(rules: str) -> str:
    """The rules with every minute made a second, `for:` made short, and thresholds that are seconds lowered."""
    rules = re.sub(r"\[(\d+)m(?::1m)?\]", lambda m: f"[{m[1]}s:500ms]" if ":" in m[0] else f"[{m[1]}s]", rules)
    rules = re.sub(r"for: \w+", "for: 1s", rules)
    for slow, quick in THRESHOLDS.items():
        assert slow in rules
        rules = rules.replace(slow, quick)
    return rules


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(question: Callable[[], Any], what: str, seconds: float = LONGEST) -> Any:
    """Ask until the answer is true, and return it; AssertionError if it does not become so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds:g} s for {what}")


class Site:
    """The processes, and what can be done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = (folder / "output").open("wb")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.http, self.prometheus = free_port(), f"http://127.0.0.1:{free_port()}"
        self.client = httpx.Client(timeout=5.0)
        self.control = httpx.Client(transport=httpx.HTTPTransport(uds=str(folder / "control.sock")), timeout=30.0)
        self.config = folder / "site.toml"
        self.urls: dict[str, str] = {}
        self.begun = 0.0
        self.daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.client.close()
        self.control.close()
        self.log.close()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with the site."""
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.folder, env=environ)
        self.processes.append(process)
        return process

    def start_tenant(self) -> None:
        """Start the emulators, and make their configuration one of a site that is in a hurry."""
        made = self.folder / "tenant" / "presence-syncd.toml"
        self.start(sys.executable, "-m", "presence_syncd", "emulate", "--folder", str(made.parent), "--port", "0")
        wait_for(lambda: made.exists() and made.read_text().count("[[account]]") >= 3, "the tenant")
        document = tomllib.loads(made.read_text())
        services = {name: document["services"][name] for name in ("teams", "symphony")}
        services["teams"] |= {"fade": "6s"}
        services["symphony"] |= {"sweep": "100ms", "rate": 20.0}
        self.urls = {"teams": services["teams"]["graph_url"], "symphony": services["symphony"]["pod"]}
        accounts = [
            {"name": account["name"], "links": {name: account["links"][name] for name in services}}
            for account in document["account"]
        ]
        self.people = {account["name"]: account["links"] for account in accounts}
        daemon = document["daemon"] | {"http": f"127.0.0.1:{self.http}"}
        daemon |= {"state": str(self.folder / "state.db"), "control": str(self.folder / "control.sock")}
        self.write({"daemon": daemon, "policy": {"settle": "100ms"}, "services": services, "account": accounts})

    def write(self, document: dict[str, Any]) -> None:
        """Write the configuration."""
        self.document = document
        self.config.write_text(tomli_w.dumps(document))

    def start_daemon(self) -> None:
        """Start the daemon, and wait until it answers."""
        self.daemon = self.start(sys.executable, "-m", "presence_syncd", "run", "--config", str(self.config))
        wait_for(self.exposition, "the daemon")

    def kill_daemon(self) -> None:
        """kill -9."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()

    def freeze_daemon(self, seconds: float) -> None:
        """Let the process stand still for a while."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.daemon.send_signal(signal.SIGCONT)

    def hold_state(self) -> None:
        """Hold the state file, so that the daemon cannot write it."""
        self.holder = sqlite3.connect(self.folder / "state.db", isolation_level=None)
        self.holder.execute("BEGIN IMMEDIATE")

    def release_state(self) -> None:
        """Let the daemon write its state again."""
        self.holder.execute("ROLLBACK")
        self.holder.close()

    def allow_files(self, more: int) -> None:
        """Allow the daemon only so many files more than it has open."""
        assert self.daemon is not None
        limit = len(os.listdir(f"/proc/{self.daemon.pid}/fd")) + more
        _, hard = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (limit, hard))

    def start_prometheus(self) -> None:
        """Start a real Prometheus with the rules of the project, hurried."""
        (self.folder / "rules.yml").write_text(hurried(RULES.read_text()))
        job = {"job_name": "presence-syncd", "static_configs": [{"targets": [f"127.0.0.1:{self.http}"]}]}
        every = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
        whole = {"global": every, "rule_files": ["rules.yml"], "scrape_configs": [job]}
        (self.folder / "prometheus.yml").write_text(json.dumps(whole))
        address = self.prometheus.removeprefix("http://")
        program = tool("prometheus", "prometheus")
        self.start(
            program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"
        )

    def wait_for_rules(self) -> None:
        """Wait until Prometheus has scraped the daemon, and its rules know it."""
        wait_for(lambda: self.value('up{job="presence-syncd"}') == 1, "the first scrape")
        wait_for(lambda: not self.query('ALERTS{alertname="PresenceSyncdDown"}'), "the rules to see it")
        self.begun = time.time()

    def exposition(self) -> bytes:
        """What the daemon tells Prometheus."""
        return self.client.get(f"http://127.0.0.1:{self.http}/metrics").raise_for_status().content

    def is_settled(self, name: str, status: str) -> bool:
        """Whether an account has a status, and nothing more is to come in Teams."""
        account = self.account(name)
        return account["status"] == status and account["reasons"]["teams"] in ("in-sync", "frozen")

    def lives(self, name: str, restarts: int) -> bool:
        """Whether an account runs, after so many restarts of any."""
        return self.restarts() == restarts and self.state(name) == "running"  # in this order: it may be dying just now

    def account(self, name: str) -> dict[str, Any]:
        """What the daemon says of an account."""
        url = f"http://127.0.0.1:{self.http}/api/v1/accounts/{name}"
        return dict(self.client.get(url).raise_for_status().json())

    def state(self, name: str) -> str:
        """Where an account is in its life."""
        return str(self.account(name)["state"])

    def reason(self, name: str) -> str:
        """Why an account's link to Teams is or is not written."""
        return str(self.account(name)["reasons"]["teams"])

    def restarts(self) -> int:
        """How often accounts were restarted."""
        counted = re.findall(rb"^presence_syncd_restarts_total\{.*\} (\S+)", self.exposition(), re.MULTILINE)
        return int(sum(map(float, counted)))

    def query(self, expression: str, **window: float) -> list[dict[str, Any]]:
        """The result of a query now, or over a window (`start`, `end`, `step`)."""
        path = "query_range" if window else "query"
        reply = self.client.get(f"{self.prometheus}/api/v1/{path}", params={"query": expression, **window})
        return list(reply.raise_for_status().json()["data"]["result"])

    def value(self, expression: str) -> float | None:
        """The first value of a query."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def fired(self) -> set[str]:
        """Every alert that has fired since the first scrape."""
        window = f"{time.time() - self.begun:.0f}s"
        found = self.query(f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{window}]))')
        return {series["metric"]["alertname"] for series in found}

    def has_fired(self, names: set[str]) -> bool:
        """Whether all of these alerts have fired."""
        return names <= self.fired()

    def is_scraped(self, since: float) -> bool:
        """Whether Prometheus has seen the present process; it answered first at `since`."""
        return (self.value('timestamp(up{job="presence-syncd"} == 1)') or 0.0) > since

    def fault(self, service: str, path: str, status: int = 503, **answer: Any) -> None:
        """Let a service answer requests to `path` wrongly until it is mended."""
        order = {"times": 0, "path": path, "status": status, **answer}
        self.client.post(f"{self.urls[service]}/_emulator/faults", json=order).raise_for_status()

    def mend(self, service: str) -> None:
        """Let a service work again."""
        self.client.delete(f"{self.urls[service]}/_emulator/faults").raise_for_status()

    def says(self, person: str, category: str) -> None:
        """Somebody sets a category in Symphony."""
        self._steer("symphony", self.people[person]["symphony"]["user_id"], {"category": category})

    def chooses(self, person: str, availability: str | None) -> None:
        """Somebody chooses a state in Teams."""
        self._steer("teams", self.people[person]["teams"]["user"], {"preferred": availability})

    def _steer(self, service: str, key: str | int, order: dict[str, Any]) -> None:
        self.client.post(f"{self.urls[service]}/_emulator/people/{key}", json=order).raise_for_status()

    def order(self, path: str) -> int:
        """Ask the daemon for something over its control socket; the status of its answer."""
        return self.control.post(f"http://daemon/api/v1/{path}").status_code
