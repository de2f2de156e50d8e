"""What the daemon tells of itself is true, complete, and holds no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.core.presence import DND
from presence_syncd.core.view import View
from presence_syncd.daemon import Daemon
from presence_syncd.report import COUNT_EVERY, FEED_LATE, Report, parked_reason
from tests.endtoend.office import SECRET, Office, guid, key_pair, number, office, until
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time

# trio tells of generators inside httpx that nobody closes when a request is cancelled; asyncio closes them silently
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")

METRICS = {
    "accounts": "state",
    "links": "service state",
    "observations_total": "service kind",
    "publish_total": "service reason outcome",
    "propagation_seconds_count": "source target",
    "refresh_slack_least_seconds": "service",
    "refresh_slack_seconds_count": "service",
    "lapsed_sessions_total": "service",
    "requests_total": "service operation status",
    "request_seconds_count": "service operation",
    "budget_headroom_ratio": "service",
    "budget_planned_ratio": "service",
    "budget_used_ratio": "service",
    "throttled_total": "service",
    "feed_age_seconds": "service",
    "diverged_links": "service",
    "feed_age_limit_seconds": "service",
    "behind_seconds": "service",
    "state_kept": "",
    "restarts_total": "service error",
    "parked_accounts": "reason",
    "shadowed_links": "service",
    "config_last_reload_successful": "",
    "config_last_reload_success_timestamp_seconds": "",
    "loop_lag_seconds_count": "",
    "build_info": "version",
}
"""Every metric of the design, with its labels."""


def exposed(report: Report) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples by name and label values, as Prometheus reads them."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for line in report.exposition().decode().splitlines():
        sample = re.fullmatch(r"presence_syncd_(\w+)(?:\{(.*)\})? (\S+)", line)
        if sample:
            labels = re.findall(r'(\w+)="([^"]*)"', sample[2] or "")
            found.setdefault(sample[1], {})[tuple(value for _, value in labels)] = float(sample[3])
    return found


def typed(report: Report) -> dict[str, str]:
    """Names with their types."""
    return dict(re.findall(r"# TYPE presence_syncd_(\w+) (\w+)", report.exposition().decode()))


async def test_every_metric_of_the_design_is_there_and_none_names_a_person(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        here.teams.faults.add(Answer(429, headers={"retry-after": "1"}))
        here.say("alice", "BUSY")
        daemon.kill("bob")
        await anyio.sleep(60)
        here.say("alice", "AVAILABLE")
        await anyio.sleep(300)  # our session is renewed meanwhile
        here.say("carol", "BE_RIGHT_BACK")
        await anyio.sleep(30)
        text, names = report.exposition().decode(), typed(report)
        declared = {re.sub(r"_(total|count)$", "", name) for name in METRICS}
        assert declared <= {re.sub("_total$", "", name) for name in names}
        for name, labels in METRICS.items():
            if name in (
                "lapsed_sessions_total",
                "refresh_slack_least_seconds",
                "refresh_slack_seconds_count",
            ):  # nothing lapsed; see the engine's tests
                continue
            sample = re.search(rf"^presence_syncd_{name}(?:\{{(.*?)\}})? ", text, re.MULTILINE)
            assert sample, name
            assert set(re.findall(r'(\w+)="', sample[1] or "")) == set(labels.split()), name
        for person in ("alice", "bob", "carol"):
            assert person not in text
            assert guid(person) not in text
            assert f'"{number(person)}"' not in text


async def test_states_are_counted(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        here.say("alice", "BUSY")
        await until(lambda: here.shows("alice")[0] == "Busy/Busy")
        await anyio.sleep(3)
        found = exposed(report)
        assert found["accounts"] == {("running",): 3, ("restarting",): 0, ("parked",): 0}
        assert {key: count for key, count in found["links"].items() if count} == {
            ("teams", "in-sync"): 1,
            ("teams", "own-word"): 2,
            ("symphony", "in-sync"): 2,
            ("symphony", "own-word"): 1,
        }
        assert sum(found["links"].values()) == 6
        daemon.kill("bob")
        await anyio.sleep(0.1)
        assert exposed(report)["accounts"]["restarting",] == 1
        assert [each["state"] for each in report.accounts()] == ["running", "restarting", "running"]
        assert found["feed_age_seconds"]["teams",] < 3
        assert 0 < found["budget_used_ratio"]["symphony",] < 1


async def test_what_is_planned_is_told_as_a_part_of_what_is_granted(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        budget = daemon.drivers["teams"].budget
        exposed(report)
        swept = report.planned_ratio("teams")
        assert swept == pytest.approx(1 / budget.rate)  # one sweep a second
        here.say("alice", "BUSY")
        await until(lambda: here.shows("alice")[0] == "Busy/Busy")
        await anyio.sleep(3)
        renewed = exposed(report)["budget_planned_ratio"]["teams",]
        assert renewed == pytest.approx(swept + 1 / (0.7 * 3600) / budget.rate, rel=0.01)
        budget.pause(1.0)
        assert report.planned_ratio("teams") == pytest.approx(renewed / 0.7, rel=0.01)


async def test_what_is_left_while_everybody_is_there_is_told_before_they_are(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        found = exposed(report)["budget_headroom_ratio"]
        assert found["teams",] == pytest.approx(1 - (1 + 3 / 231) / 37.5, rel=1e-4)  # a sweep a second, three renewals
        assert found["symphony",] == pytest.approx(1 - 3 / 10)
        assert found["teams",] < 1 - report.planned_ratio("teams")
        with here.changed() as document:
            document["services"]["teams"]["rate"] = 0.5
        await daemon.reload(here.load())
        teams, symphony = report.budgets()
        assert exposed(report)["budget_headroom_ratio"]["teams",] == pytest.approx(1 - teams["ratio"], abs=1e-4)
        assert (teams["service"], teams["links"], teams["granted"], teams["further"]) == ("teams", 3, 0.5, -3)
        assert (teams["ratio"], teams["slack"], teams["slack_seen"]) == (pytest.approx(2.026, abs=1e-3), 58.0, None)
        assert (symphony["needed"], symphony["further"], symphony["slack"]) == (3.0, 49_997, None)  # ten pages
        with here.changed() as document:
            document["account"].pop()
        await daemon.reload(here.load())
        assert [budget["links"] for budget in report.budgets()] == [2, 2]


async def test_the_least_time_left_at_a_renewal_is_told(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        assert "refresh_slack_least_seconds" not in exposed(report)
        here.say("alice", "BUSY")
        await anyio.sleep(5)
        here.say("alice", "AVAILABLE")
        await anyio.sleep(280)
        found = exposed(report)
        (seen,) = found["refresh_slack_least_seconds"].values()
        assert found["refresh_slack_seconds_count"] == {("teams",): 1.0}
        assert found["refresh_slack_seconds_sum"] == {("teams",): pytest.approx(seen)}
        assert seen > 50
        assert report.budgets()[0]["slack_seen"] == pytest.approx(seen, abs=0.1)


async def test_who_keeps_counting_does_not_count_at_the_scrape(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon, anyio.create_task_group() as tasks:
        report = Report(daemon)
        await anyio.sleep(5)
        tasks.start_soon(report.keep_counting)
        await anyio.sleep(1)
        assert exposed(report)["accounts"]["running",] == 3
        daemon.kill("bob")
        await anyio.sleep(0.1)
        assert exposed(report)["accounts"]["running",] == 3
        daemon.kill("alice")
        await anyio.sleep(0.3)
        del here
        await anyio.sleep(COUNT_EVERY)
        assert exposed(report)["accounts"]["running",] == 3
        tasks.cancel_scope.cancel()


async def test_a_silent_feed_is_late_and_a_feed_that_speaks_again_is_not(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        assert report.readiness()["waiting"].keys() <= {"teams", "symphony"}
        assert report.readiness()["ready"] is False
        await anyio.sleep(5)
        assert report.readiness() == {"ready": True, "waiting": {}}
        here.network.hosts["teams.test"].silent = True
        await anyio.sleep(FEED_LATE - 5)
        assert report.readiness()["ready"] is True
        await anyio.sleep(20)
        said = report.readiness()
        assert said["waiting"].keys() == {"teams"}
        assert re.fullmatch(r"last proof of life \d+ s ago", said["waiting"]["teams"])
        assert exposed(report)["feed_age_seconds"]["teams",] > FEED_LATE
        here.network.hosts["teams.test"].silent = False
        await until(lambda: report.readiness()["ready"], 120)


async def test_a_feed_is_late_by_its_own_limit(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.document["services"]["symphony"]["sweep"] = "20s"
        async with here.running() as daemon:
            report = Report(daemon)
            await anyio.sleep(60)
            assert exposed(report)["feed_age_limit_seconds"] == {("teams",): 33.0, ("symphony",): 90.0}
            for host in here.network.hosts.values():
                host.silent = True
            await anyio.sleep(45)
            assert report.readiness()["waiting"].keys() == {"teams"}
            await anyio.sleep(60)
            assert report.readiness()["waiting"].keys() == {"teams", "symphony"}


async def test_what_a_reload_took_away_is_not_shown_any_more(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        gauges = [
            name for name, kind in typed(report).items() if kind == "gauge" and "service" in METRICS.get(name, "")
        ]
        gauges.remove("refresh_slack_least_seconds")  # nothing was renewed
        assert len(gauges) == 9
        assert all(any("symphony" in key for key in exposed(report)[name]) for name in gauges)
        with here.changed() as document:
            del document["services"]["symphony"]
            for each in document["account"]:
                del each["links"]["symphony"]
        await daemon.reload(here.load())
        await anyio.sleep(5)
        left = exposed(report)
        assert {key[0] for name in gauges for key in left[name]} == {"teams"}


async def test_counters_of_which_one_event_counts_begin_at_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        found = exposed(Report(daemon))
        del here
        for name in ("throttled_total", "lapsed_sessions_total"):
            assert found[name] == {("teams",): 0.0, ("symphony",): 0.0}


async def test_a_state_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        assert exposed(report)["state_kept"][()] == 1
        daemon.store.failing = True
        assert exposed(report)["state_kept"][()] == 0


async def test_who_is_longest_behind_is_told(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(60)
        assert exposed(report)["behind_seconds"] == {("teams",): 0.0, ("symphony",): 0.0}
        here.teams.faults.add(Answer(503, times=0, path="presence/set|batch"))
        here.say("alice", "BUSY")
        await anyio.sleep(100)
        here.say("bob", "BUSY")
        await anyio.sleep(100)
        behind = exposed(report)["behind_seconds"]
        assert behind["symphony",] == 0.0
        assert 195 < behind["teams",] < 201


async def test_why_an_account_waits_for_a_person_is_told(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        await anyio.sleep(5)
        (tmp_path / "graph-secret").unlink()
        here.teams.login.grants.clear()
        here.say("alice", "BUSY")
        await until(lambda: exposed(report)["parked_accounts"]["SecretMissing",] == 1)
        assert parked_reason(daemon.tasks["alice"]) == "SecretMissing"
        said = report.account("alice")
        assert said is not None
        assert said["state"] == "SecretMissing"
        told = {link["service"]: link["trouble"] for link in said["explanation"]["links"]}
        assert "graph-secret" in told["teams"]
        assert report.account("nobody") is None


async def test_an_account_is_told_with_what_it_shows_and_why(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        report = Report(daemon)
        assert report.accounts()[0]["shows"] == {"teams": None, "symphony": None}
        assert report.accounts()[0]["status"] is None
        await anyio.sleep(5)
        await daemon.pin("alice", DND, 600.0, "exam")
        await until(lambda: here.shows("alice")[0] == "DoNotDisturb/DoNotDisturb")
        await anyio.sleep(3)
        assert report.accounts()[0] == {
            "account": "alice",
            "state": "running",
            "status": "dnd",
            "from": "pin",
            "shows": {"teams": "dnd", "symphony": "busy"},
            "reasons": {"teams": "in-sync", "symphony": "in-sync"},
        }
        said = report.account("alice")
        assert said is not None
        events = [event["event"] for event in said["lately"]]
        assert events[:4] == ["observed", "observed", "pinned", "published"]
        assert sorted(events[4:]) == ["confirmed", "confirmed", "published"]
        pinned = said["lately"][2]["change"]
        assert [event["change"] for event in said["lately"][3:]] == [pinned] * 4
        assert said["explanation"]["status"]["change"] == pinned
        assert json.loads(json.dumps(said)) == said


def canaries(here: Office) -> set[str]:
    """Every secret there is: what was configured, and what services gave in return."""
    pem, _ = key_pair()
    lines = [line for line in pem.decode().splitlines() if "KEY" not in line]
    sessions = vars(here.symphony.sessions)
    tokens = {key for value in sessions.values() if isinstance(value, dict) for key in value if isinstance(key, str)}
    return {SECRET, *lines, *here.teams.login.grants, *tokens}


@pytest.mark.parametrize("trouble", ["none", "crash", "refused"])
async def test_no_secret_is_in_logs_metrics_or_answers(tmp_path: Path, trouble: str) -> None:
    async with office(tmp_path) as here:
        async with here.running() as daemon:
            report = Report(daemon)
            await anyio.sleep(5)
            here.say("alice", "BUSY")
            await anyio.sleep(5)
            await _make_trouble(here, daemon, trouble)
            await anyio.sleep(90)
            secrets = canaries(here)
            told = [report.exposition().decode(), json.dumps([report.account(name) for name in daemon.tasks])]
            told.append(json.dumps(report.readiness()))
        assert len(secrets) > 20
        told.append(here.log.getvalue())
        if trouble == "crash":
            assert "Traceback" in here.log.getvalue()
        for secret in secrets:
            assert not [text for text in told if secret in text], secret


async def _make_trouble(here: Office, daemon: Daemon, trouble: str) -> None:
    if trouble == "crash":
        board, broken = daemon.tasks["alice"].board, cast("View", None)
        whole, board.view = board.view, broken
        board.ring()
        await anyio.sleep(0.01)
        board.view = whole
    elif trouble == "refused":
        here.teams.login.client_secret = "another"
        here.teams.faults.add(Answer(401, times=50, body=SECRET), Answer(500, times=20, body=SECRET))
