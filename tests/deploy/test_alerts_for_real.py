"""Every alert fires in a real Prometheus that scrapes a running daemon, once its cause is there; and not before.

One story for all, told once: `told` holds what fired before anything happened, after each chapter, and what the
dashboard's queries gave at the end.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from threading import Thread

import pytest

from tests.deploy.places import DASHBOARD, alerts, expressions, output, tool
from tests.deploy.site import Site, wait_for

pytestmark = pytest.mark.xdist_group("a real Prometheus")

WRITE = "set(User)?(Preferred)?Presence"
"""Part of the path of every write to Teams."""
CALM = 3.0
"""Seconds in which nothing may fire."""


@dataclass
class Told:
    """What happened."""

    calm: set[str] = field(default_factory=set)
    fired: set[str] = field(default_factory=set)
    checked: str = ""
    series: dict[str, int] = field(default_factory=dict)


def an_account_that_breaks(site: Site) -> None:
    """Carol's account is killed as soon as it lives, until it is given a rest."""
    for lives in range(6):
        wait_for(partial(site.lives, "carol", lives), "a new life")
        assert site.order("accounts/carol/restart") == 200


def a_person_who_flickers(site: Site) -> None:
    """Bob changes as no person could, and as a second program that copies presence would."""
    for word, category in islice(cycle((("busy", "BUSY"), ("available", "AVAILABLE"))), 60):
        site.says("bob", category)
        wait_for(partial(site.is_settled, "bob", word), "what bob said")
        if site.reason("bob") == "frozen":
            return


def operators_slips(site: Site) -> None:
    """A wrong file is refused; hardly any file may be opened; the process stands still, as one that is moved."""
    for behind in (an_account_that_breaks, a_person_who_flickers):  # both go on for some chapters
        Thread(target=behind, args=(site,), daemon=True).start()
    good = site.config.read_text()
    site.config.write_text(good + '\n[policy2]\nsettle = "soon"\n')
    assert site.order("reload") == 422
    site.config.write_text(good)
    site.allow_files(3)
    site.fault("teams", "getPresencesByUserId", 429, headers={"retry-after": "1"}, times=8)
    site.freeze_daemon(1.6)


def a_service_that_takes_its_time(site: Site) -> None:
    """Teams takes longer with alice's changes and renewals than a session holds.

    She changes several times: while bob still flickers, his quick changes are most of what there is.
    """
    site.allow_files(1000)
    site.mend("teams")
    user = site.people["alice"]["teams"]["user"]
    site.fault("teams", f"{user}.*{WRITE}", 200, delay=2.5, apply=True)
    for word, category in (("busy", "BUSY"), ("available", "AVAILABLE"), ("busy", "BUSY")):
        site.says("alice", category)
        wait_for(partial(site.is_settled, "alice", word), "what alice said")
    site.says("alice", "AVAILABLE")


def words_that_do_not_show(site: Site) -> None:
    """Symphony accepts what is written for alice and goes on to show something else."""
    site.mend("teams")
    wait_for(partial(site.is_settled, "alice", "available"), "the last slow write")
    site.fault("symphony", "v3/user/presence", 200, method="POST", body="{}")
    site.chooses("alice", "DoNotDisturb")


def writes_that_fail(site: Site) -> None:
    """Teams takes no writes."""
    site.mend("symphony")
    site.chooses("alice", None)
    site.fault("teams", rf"{WRITE}|\$batch")
    site.says("alice", "BE_RIGHT_BACK")


def words_that_are_refused(site: Site) -> None:
    """Teams refuses a word for good."""
    site.mend("teams")
    site.fault("teams", WRITE, 400)
    site.says("alice", "AVAILABLE")


def a_state_file_that_is_taken(site: Site) -> None:
    """Another program holds the state file, and somebody says something."""
    site.mend("teams")
    site.hold_state()
    site.says("alice", "BUSY")


def services_that_cannot_be_read(site: Site) -> None:
    """The configuration allows fewer requests than reading Symphony takes; Teams answers no reading any more."""
    site.release_state()
    site.document["services"]["symphony"]["rate"] = 4.0
    site.write(site.document)
    assert site.order("reload") == 200
    site.fault("teams", "getPresencesByUserId")


def a_start_without_it(site: Site) -> None:
    """The daemon dies, and comes back again and again while Teams is still gone."""
    for _ in range(3):
        site.kill_daemon()
        site.start_daemon()
        wait_for(partial(site.is_scraped, time.time()), "a scrape")


def the_end(site: Site) -> None:
    """The daemon dies and stays away."""
    site.kill_daemon()


STORY: tuple[tuple[Callable[[Site], None], frozenset[str]], ...] = (
    (operators_slips, frozenset({"ReloadRefused", "FewFilesLeft", "AccountsRestart", "LoopLags", "Throttled"})),
    (a_service_that_takes_its_time, frozenset({"PropagationSlow", "SessionsLapsed"})),
    (words_that_do_not_show, frozenset({"LinksShadowed", "AccountsFrozen"})),
    (writes_that_fail, frozenset({"PublishFails", "LinksBehind"})),
    (words_that_are_refused, frozenset({"LinksDiverged", "AccountsParked"})),
    (a_state_file_that_is_taken, frozenset({"StateNotKept"})),
    (services_that_cannot_be_read, frozenset({"BudgetNearLimit", "BudgetTooSmall", "FeedLate", "HeadroomLow"})),
    (a_start_without_it, frozenset({"FeedNeverHeard", "KeepsRestarting"})),
    (the_end, frozenset({"Down"})),
)
"""What happens, and which alerts must come of it."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Tell the story."""
    tool("prometheus", "prometheus")
    promtool = tool("promtool", "prometheus")
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.start_prometheus()
        site.start_tenant()
        site.start_daemon()
        site.wait_for_rules()
        began = time.time()
        time.sleep(CALM)
        told = Told(calm=site.fired())
        for chapter, expected in STORY:
            chapter(site)
            names = {f"PresenceSyncd{name}" for name in expected}
            with suppress(AssertionError):  # each alert has a test of its own
                wait_for(partial(site.has_fired, names), f"{names} in {chapter.__name__}")
            if chapter is services_that_cannot_be_read:
                told.checked = output(promtool, "check", "metrics", text=site.exposition())
        told.fired = site.fired()
        window = {"start": began, "end": time.time(), "step": 1.0}
        for panel, query in expressions(json.loads(DASHBOARD.read_text())).items():
            told.series[panel] = len(site.query(_filled(query), **window))
        yield told


def _filled(query: str) -> str:
    """A query with the dashboard's variables filled in."""
    return re.sub(r"\$(instance|service)", ".*", query.replace("$__rate_interval", "5s"))


def test_nothing_fires_while_all_is_well(told: Told) -> None:
    assert told.calm == set()


@pytest.mark.parametrize("name", alerts())
def test_the_alert_fires_when_its_cause_is_there(told: Told, name: str) -> None:
    assert name in told.fired


def test_promtool_accepts_every_metric_of_a_daemon_in_trouble(told: Told) -> None:
    assert told.checked == ""


@pytest.mark.parametrize("panel", expressions(json.loads(DASHBOARD.read_text())))
def test_the_query_of_the_dashboard_gives_a_curve(told: Told, panel: str) -> None:
    assert told.series[panel] > 0
