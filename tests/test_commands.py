"""What an operator does with a running daemon: real processes, real sockets, an emulated tenant."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from presence_syncd.cli import main

CANARY = "hunter2-canary"
REPO = Path(__file__).parent.parent

pytestmark = pytest.mark.xdist_group("commands")  # the last test looks through what all others printed


@dataclass
class Tenant:
    """A running tenant and a daemon in it; `output` is all the commands printed so far."""

    folder: Path
    urls: dict[str, str]
    processes: list[subprocess.Popen[bytes]]
    output: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "presence-syncd.toml"

    def run(self, *arguments: str) -> Result:
        """Give a command."""
        done = CliRunner().invoke(main, arguments, env={"PRESENCE_SYNCD_CONFIG": str(self.config)})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        self.output.append(done.output)
        return done

    def said(self, *arguments: str) -> str:
        """Give a command that is done; returns what it prints."""
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.said(*arguments, "--json"))

    def fault(self, service: str, **answer: Any) -> None:
        """Script an answer of an emulator; without one, clear the script."""
        body = json.dumps(answer).encode() if answer else None
        method = "POST" if answer else "DELETE"
        url = f"{self.urls[service]}/_emulator/faults"
        urllib.request.urlopen(urllib.request.Request(url, body, method=method)).close()

    def until(self, what: Callable[[], object], seconds: float = 10.0) -> Any:
        """Wait until something holds; returns it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, self.run("status").output
            time.sleep(0.05)
        return found

    def is_well(self) -> bool:
        return "3 accounts, all well" in self.said("status")

    def is_available(self, *names: str) -> bool:
        """Whether everything shows that somebody is available."""
        return all(set(self.shows(name).values()) == {"available"} for name in names)

    def shows(self, name: str) -> dict[str, str]:
        shows: dict[str, str] = self.json("status", name)["shows"]
        return shows


def spawn(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "presence_syncd", *arguments], stdout=log, stderr=log, cwd=REPO)


def wait_for(path: Path, pattern: str, seconds: float = 20.0) -> str:
    end = time.monotonic() + seconds
    while not re.search(pattern, path.read_text()):
        assert time.monotonic() < end, path.read_text()
        time.sleep(0.05)
    return path.read_text()


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    folder = tmp_path_factory.mktemp("tenant")
    processes = [spawn(folder, "emulate", "--folder", str(folder), "--port", "0")]
    try:
        said = wait_for(folder / "emulate.log", "presence-syncd run")
        urls = dict(re.findall(r"^(\w+) +(http\S+)/_emulator/people$", said, re.MULTILINE))
        running = Tenant(folder, urls, processes)
        config = running.config.read_text().replace("127.0.0.1:9464", "127.0.0.1:0")
        running.config.write_text(config.replace("[policy]", '[policy]\nsettle = "0s"', 1))
        processes.append(spawn(folder, "run", "--config", str(running.config)))
        running.until((folder / "control.sock").exists)
        running.until(lambda: running.is_well() and running.is_available("alice", "bob", "carol"), 20.0)
        yield running
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(15)


def test_status_shows_what_is_shown_where(tenant: Tenant) -> None:
    lines = tenant.said("status").splitlines()
    assert lines[0].split() == ["account", "state", "status", "said", "in", *tenant.urls]
    assert [line.split()[0] for line in lines[1:4]] == ["alice", "bob", "carol"]
    assert lines[4] == ""
    assert lines[5].split("  ")[0] == "service"
    assert lines[5].endswith("used now")
    assert [line.split()[0] for line in lines[6:-1]] == [*tenant.urls]
    assert lines[1].split()[1:3] == ["running", "available"]
    assert lines[-1].startswith("3 accounts, all well")
    found = tenant.json("status")
    assert (found["ready"], len(found["accounts"])) == (not found["waiting"], 3)
    assert {budget["service"]: budget["ratio"] < 1 for budget in found["budgets"]} == dict.fromkeys(tenant.urls, True)


def test_status_of_one_account_shows_its_links(tenant: Tenant) -> None:
    lines = tenant.said("status", "alice").splitlines()
    assert lines[0] == "alice: available, running"
    assert [line.split()[0] for line in lines[1:]] == ["service", *tenant.urls]
    assert "Available/Available" in lines[2]
    assert tenant.json("status", "alice")["explanation"]["status"]["said"] == "available"


def test_explain_tells_the_chain_in_its_order(tenant: Tenant) -> None:
    tenant.until(lambda: "accepted, seen there" in tenant.said("explain", "alice"))
    told = tenant.said("explain", "alice")
    parts = (
        "alice: available\n",
        "the person said available before the first reading (change ",
        "). By the rule",
        "In teams the person said offline before the first reading (change ",
        "); that does not count",
        "\nteams: available\n",
        "because we wrote it; last heard",
        "We wrote Available/Available",
        "accepted, seen there, ends by itself in ",
        "It shows what it should (in-sync).",
        "Proof that it is still true: ",
        "It is decided again in",
        "\nsymphony: available\n",
        "\nlately\n",
        "wrote Available/Available, because of",
    )
    places = [told.find(part) for part in parts]
    assert -1 not in places, told
    assert places == sorted(places)
    assert tenant.json("explain", "alice")["explanation"]["links"][0]["reason"] == "in-sync"


def test_an_unknown_account_is_answered_with_similar_names(tenant: Tenant) -> None:
    for command in (("explain", "alise"), ("unpin", "ALICE"), ("watch", "alise"), ("pin", "alise", "busy")):
        done = tenant.run(*command)
        assert (done.exit_code, done.output.splitlines()[1]) == (1, "did you mean alice?")
    done = tenant.run("pause", "a/b", "--json")
    wrong = {"error": "there is no account 'a/b'", "hint": "accounts: alice, bob, carol", "problems": []}
    assert (done.exit_code, json.loads(done.output)) == (1, wrong)


def test_a_pin_shows_everywhere_until_it_is_taken_away(tenant: Tenant) -> None:
    said = tenant.said("pin", "bob", "busy", "--for", "30m", "--reason", "board meeting")
    assert said == "bob is pinned to busy for 30 min; `presence-syncd unpin bob` ends it\n"
    tenant.until(lambda: set(tenant.shows("bob").values()) == {"busy"})
    told = tenant.said("explain", "bob")
    assert re.search(rf"{getpass.getuser()} pinned it, for another (29 min|30 min)", told)
    assert "): board meeting. A pin is above all words." in told
    assert "The person's own words meanwhile: offline in teams, available in" in told
    assert f"pinned to busy for 30 min by {getpass.getuser()}: board meeting" in told
    assert tenant.said("unpin", "bob") == "bob is not pinned any more\n"
    tenant.until(lambda: tenant.shows("bob")["skype"] == "available")
    facts = {"done": True, "account": "bob", "pinned": "busy", "seconds": 60.0, "reason": ""}
    assert tenant.json("pin", "bob", "busy", "--for", "1m") == facts
    tenant.json("unpin", "bob")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (("busyy",), "legal: one of available"),
        (("unknown",), "cannot be pinned"),
        (("busy", "--for", "soon"), "a duration is a number and a unit"),
        (("busy", "--for", "31d"), "up to 30 days"),
        (("busy", "--for", "0s"), "up to 30 days"),
    ],
)
def test_a_pin_that_makes_no_sense_is_a_usage_error(tenant: Tenant, order: tuple[str, ...], said: str) -> None:
    done = tenant.run("pin", "bob", *order)
    assert done.exit_code == 2
    assert said in done.output


def test_a_paused_account_is_not_written(tenant: Tenant) -> None:
    assert "until `presence-syncd resume carol`" in tenant.said("pause", "carol")
    tenant.until(lambda: "3 accounts, 1 to look at" in tenant.said("status"))
    assert "available (paused)" in tenant.said("status")
    assert [line.split()[0] for line in tenant.said("status", "--trouble").splitlines()] == ["account", "carol", "3"]
    told = tenant.said("explain", "carol")
    assert "It is paused: nothing is written until" in told
    assert "nothing is written until it is resumed (paused)." in told
    assert tenant.said("resume", "carol") == "carol is resumed\n"
    tenant.until(tenant.is_well)
    assert tenant.said("status", "--trouble").startswith("3 accounts, all well")


def test_a_restarted_account_lives_again_and_says_so(tenant: Tenant) -> None:
    assert tenant.said("restart", "alice").startswith("the task of alice was ended")
    tenant.until(lambda: tenant.json("status", "alice")["restarts"] == 1)
    tenant.until(lambda: tenant.json("status", "alice")["state"] == "running")
    told = tenant.said("explain", "alice")
    assert "Its task was started again once; what ended it last: Killed." in told
    assert f"a restart of the account's task was ordered by {getpass.getuser()}" in told
    assert "the account's task was ended" in told
    tenant.until(tenant.is_well)


def test_reload_tells_what_changed(tenant: Tenant) -> None:
    assert tenant.said("reload") == "reloaded; no account or service changed\n"
    user = "--link=symphony.user_id=14568529069999"
    assert "dave.toml" in tenant.said(
        "account",
        "add",
        "dave",
        user,
        "--link=symphony.direction=read",
        "--link",
        "teams.user=c2ef90b9-02bc-5d53-93cd-92652b6e1b00",
    )
    assert tenant.said("reload") == "accounts added: 1 (dave)\n"
    tenant.until(lambda: tenant.json("status", "dave"))
    assert "dave.toml is gone" in tenant.said("account", "remove", "dave")
    assert tenant.json("reload")["removed"] == ["dave"]
    before = tenant.config.read_text()
    tenant.config.write_text(before.replace('sweep = "250ms"', 'sweep = "240ms"').replace("127.0.0.1:0", "127.0.0.1:1"))
    lines = tenant.said("reload").splitlines()
    assert lines[0].startswith("accounts changed: 3 (alice, bob, carol)")
    assert lines[1:] == ["services changed: 2 (symphony, teams)", "takes a restart of the daemon: daemon.http"]
    tenant.config.write_text(before)
    tenant.said("reload")
    tenant.until(tenant.is_well)


def test_a_refused_configuration_changes_nothing_and_is_told_with_places(tenant: Tenant) -> None:
    before = tenant.config.read_text()
    tenant.config.write_text(before.replace('sweep = "250ms"', 'sweeep = "250ms"', 1))
    done = tenant.run("reload")
    assert done.exit_code == 1
    first, last = done.output.splitlines()
    assert re.fullmatch(rf"{tenant.config}:\d+:1: services\.teams\.sweeep: unknown key .*", first)
    assert last == "the configuration is refused; the daemon goes on with the one it has"
    found = json.loads(tenant.run("reload", "--json").output)
    assert found["problems"] == [first]
    tenant.config.write_text(before + "nonsense")
    assert tenant.run("reload").exit_code == 1  # the socket is found in a file that is no TOML
    tenant.config.write_text(before)
    assert "reloaded" in tenant.said("reload")


def test_watch_shows_what_happens(tenant: Tenant) -> None:
    command = [sys.executable, "-m", "presence_syncd", "watch", "bob", "--config", str(tenant.config)]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": REPO}
    with subprocess.Popen(command, **streams) as lines, subprocess.Popen([*command, "--json"], **streams) as objects:
        try:
            assert lines.stdout is not None and objects.stdout is not None  # noqa: PT018
            assert b"watching" in lines.stdout.readline()
            assert json.loads(objects.stdout.readline())["event"] == "watching"
            tenant.said("pause", "carol")
            tenant.said("pause", "bob")
            assert re.fullmatch(rb"\d\d:\d\d:\d\d  bob +paused by \w+: nothing is written\n", lines.stdout.readline())
            event = json.loads(objects.stdout.readline())
            assert (event["account"], event["event"], event["level"]) == ("bob", "paused", "info")
            for process in (lines, objects):
                process.send_signal(signal.SIGINT)
                assert process.wait(10) == 0
        finally:  # or who fails would wait for them for ever
            lines.kill()
            objects.kill()
    tenant.said("resume", "bob")
    tenant.said("resume", "carol")


def test_accounts_are_completed_from_the_daemon(tenant: Tenant) -> None:
    def complete(*words: str) -> list[str]:
        env = {
            "_PRESENCE_SYNCD_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("presence-syncd", *words)),
            "COMP_CWORD": str(len(words)),
            "PRESENCE_SYNCD_CONFIG": str(tenant.config),
        }
        done = CliRunner().invoke(main, env=env, prog_name="presence-syncd")
        return [line.partition(",")[2] for line in done.output.split()]

    assert complete("explain", "--control", str(tenant.folder / "control.sock"), "") == ["alice", "bob", "carol"]
    assert complete("explain", "B") == ["bob"]
    assert complete("pin", "bob", "busy/") == ["busy/call", "busy/conference", "busy/meeting"]
    assert complete("explain", "--control", "/nowhere", "") == []


def test_check_online_signs_in_and_reads(tenant: Tenant) -> None:
    lines = tenant.said("check", "--online").splitlines()
    assert re.fullmatch(r"ok: teams: signed in, and alice shows available \(\d+\.\d s\)", lines[0])
    assert len(lines) == len(tenant.urls) + (1 + len(tenant.urls)) + 1  # what was read, the budgets, the summary
    found = tenant.json("check", "--online")
    assert found["online"].keys() == tenant.urls.keys()
    assert set(tenant.shows("alice").values()) == {"available"}, "it must only look"


def test_check_online_names_the_service_that_is_wrong_and_a_hint(tenant: Tenant) -> None:
    tenant.fault("symphony", status=401, times=0, body=CANARY, path="authenticate")
    tenant.fault("teams", status=403, times=0, body=CANARY, path="presence$", method="GET")
    try:
        done = tenant.run("check", "--online")
        found = tenant.run("check", "--online", "--json")
    finally:
        tenant.fault("symphony")
        tenant.fault("teams")
    assert done.exit_code == 78
    teams, symphony = done.output.splitlines()[:2]
    assert re.match(rf"{tenant.config}:\d+:1: services.teams: cannot read alice: .*\(signed in, but", teams)
    assert re.match(rf"{tenant.config}:\d+:1: services.symphony: cannot sign in: .*\(the credentials are", symphony)
    assert len(json.loads(found.output)["errors"]) == 2


def test_trouble_is_explained_without_quoting_the_service(tenant: Tenant) -> None:
    tenant.fault("symphony", status=503, times=0, body=CANARY, method="POST")
    try:
        tenant.said("pin", "carol", "dnd", "--for", "5m")
        tenant.until(lambda: "Trouble for" in tenant.said("explain", "carol"))
        told = tenant.said("explain", "carol")
        assert "symphony: Unavailable: HTTP 503" in tenant.said("status", "carol")
        assert "symphony: available" in told
        assert "It should show BUSY. BUSY is the nearest it can say. The last try failed" in told
        assert "We wrote BUSY" in told
        assert "it failed" in told
        assert re.search(r"Trouble for \d+ s: Unavailable: HTTP 503", told)
        assert re.search(r"available \(backoff\)", tenant.said("status"))
    finally:
        tenant.fault("symphony")
        tenant.said("unpin", "carol")
    tenant.until(tenant.is_well)


def test_no_secret_is_seen_anywhere(tenant: Tenant) -> None:
    """Runs late in this file: what all tests above printed, and what the daemon logged, is looked through."""
    secrets = [
        line
        for file in tenant.folder.iterdir()
        if file.is_file() and re.match(r"graph-secret|skype-|blackberry-|symphony-key", file.name)
        for line in file.read_text().splitlines()
        if len(line) >= 8 and "PRIVATE KEY" not in line
    ]
    assert len(secrets) > 10
    answers = [tenant.said("status", "--json"), *(tenant.said("explain", name, "--json") for name in ("alice", "bob"))]
    logged = (tenant.folder / "run.log").read_text()
    everything = "\n".join((*answers, *tenant.output, logged, *metrics(tenant)))
    assert "account killed" in logged
    seen = [secret for secret in (*secrets, CANARY, "Bearer ", "eyJ") if secret in everything]
    assert not seen


def metrics(tenant: Tenant) -> Iterator[str]:
    """What the read-only pages say, asked over the control socket."""
    from presence_syncd.remote import Remote

    remote = Remote(tenant.folder / "control.sock")
    for path in ("/metrics", "/api/v1/accounts/nobody", "/api/v1/accounts/alice/pin"):
        try:
            yield str(remote._ask("GET", path))
        except Exception as error:
            yield str(error)


def test_a_daemon_that_is_gone_is_told_from_one_that_never_was(tenant: Tenant) -> None:
    """The last one: it ends the daemon."""
    daemon = tenant.processes.pop()
    threading.Timer(0.5, daemon.kill).start()
    done = tenant.run("watch")
    daemon.wait(10)
    assert done.exit_code == 1
    assert "watching" in done.output
    assert re.search(r"the daemon (has ended|hung up)", done.output)
    done = tenant.run("status")
    assert (done.exit_code, done.output.split(":")[0]) == (1, "the daemon is not running")
    assert "nobody listens on" in done.output
    os.unlink(tenant.folder / "control.sock")
    assert "there is no socket" in tenant.run("status").output
