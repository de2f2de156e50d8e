"""What is planned of a limit, what links need, and how many more would fit: by hand reckoned."""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.connector import Link, Service, Traits
from presence_syncd.connectors.fields import LinkSettings
from presence_syncd.connectors.upkeep import (
    BURST,
    MOST,
    PLANNED,
    Forecast,
    Limit,
    Needs,
    Upkeep,
    forecast,
    renewed,
    told,
)


@given(requests=st.integers(1, 100_000), seconds=st.floats(1, 3600))
def test_no_window_of_a_limit_is_planned_to_hold_more_than_four_fifths(requests: int, seconds: float) -> None:
    rate = Limit(requests, seconds).rate
    assert BURST * rate + seconds * rate <= PLANNED * requests * (1 + 1e-9)
    assert PLANNED == 0.8


def test_a_limit_is_said_as_the_service_says_it() -> None:
    assert str(Limit(1500, 30.0)) == "1,500 requests in 30 s"


def test_a_lease_costs_its_renewals_and_the_latest_of_them_leaves_some_slack() -> None:
    rate, slack = renewed(2, 200.0, 300.0)
    assert rate == pytest.approx(2 / 210)
    assert slack == pytest.approx(80.0)


def test_a_late_renewal_is_capped_as_the_engine_caps_it() -> None:
    rate, slack = renewed(1, 295.0, 300.0)
    assert rate == pytest.approx(1 / 285)
    assert slack == pytest.approx(15.0)


def needs(*upkeeps: Upkeep) -> Needs:
    summed = Needs()
    for upkeep in upkeeps:
        summed.add(upkeep)
    return summed


def none(_links: int) -> float:
    return 0.0


def test_needs_are_summed_and_the_least_slack_counts() -> None:
    found = needs(Upkeep(0.1, 0.2, 60.0, is_swept=True), Upkeep(0.3), Upkeep(0.0, 0.5, 50.0), Upkeep(slack=70.0))
    assert (found.links, found.swept, found.slack) == (4, 1, 50.0)
    assert (found.polls, found.renewals) == pytest.approx((0.4, 0.7))


def test_a_forecast_compares_all_there_is_with_what_is_granted() -> None:
    plan = forecast(needs(*[Upkeep(0.1, 0.4, 58.0, is_swept=True)] * 10), lambda links: links / 2, 20.0)
    assert (plan.sweeps, plan.polls, plan.renewals) == pytest.approx((5.0, 1.0, 4.0))
    assert plan.ratio == pytest.approx(0.5)
    assert plan.further == 10
    assert told(plan) == {
        "links": 10,
        "needed": 10.0,
        "sweeps": 5.0,
        "polls": 1.0,
        "renewals": 4.0,
        "granted": 20.0,
        "ratio": 0.5,
        "further": 10,
        "slack": 58.0,
    }


def test_without_links_nothing_is_needed_and_nobody_can_say_how_many_fit() -> None:
    assert forecast(Needs(), none, 5.0) == Forecast(0, 5.0, 0.0, 0.0, 0.0, None, None)
    assert told(forecast(Needs(), none, 5.0))["slack"] is None


@given(links=st.integers(1, 3000), each=st.floats(0.001, 1), size=st.integers(1, 700), granted=st.floats(0.1, 1000))
def test_as_many_more_fit_as_are_told_and_not_one_more(links: int, each: float, size: int, granted: float) -> None:
    def sweeping(count: int) -> float:
        return ceil(count / size) / 5

    found = needs(*[Upkeep(renewals=each, is_swept=True)] * links)
    further = forecast(found, sweeping, granted).further
    assert further is not None

    def needed(count: int) -> float:
        return sweeping(count) + count * found.renewals / links

    assert links + further == 0 or needed(links + further) <= granted
    assert needed(links + further + 1) > granted
    assert (further < 0) == (needed(links) > granted)


@pytest.mark.parametrize(("granted", "further"), [(1.0, 0), (0.5, -1), (inf, MOST)])
def test_none_fit_where_it_is_full_and_more_than_a_million_are_not_counted(granted: float, further: int) -> None:
    assert forecast(needs(Upkeep(polls=1.0)), none, granted).further == further


# what the services say

GRAPH = {
    "type": "graph",
    "tenant": "contoso.com",
    "client_id": "22553876-f5ab-4529-bffb-cfe50aa89f87",
    "client_secret": {"env": "S"},
}
TEAMS_USER = {"user": "fa8bf3dc-eca7-46b7-bad1-db199b62afc3"}
POD = {"type": "symphony", "pod": "https://contoso.symphony.com", "private_key": {"env": "S"}}
BOT, APP = {**POD, "bot": "b"}, {**POD, "app": "a"}
SKYPE = {"type": "ucwa"}
SKYPE_USER = {"sip": "sip:ann@contoso.com", "password": {"env": "S"}}
CONNECT = {"type": "bems", "url": "https://b/", "token": {"env": "S"}}
BEMS_USER = {"contact": "ann@contoso.com"}
READ = {"direction": "read"}
AVAILABLE = 1 / 231
"""A renewal after 220 s, or a tenth more."""
HOURLY = 1 / (0.7 * 3600 * 1.05)
"""A renewal of a session that is granted an hour."""


def made(table: dict[str, Any]) -> Service:
    connector = REGISTRY[table["type"]]
    return connector.service("desk", connector.settings.model_validate(table))


def upkeep(table: dict[str, Any], link: dict[str, Any]) -> Upkeep:
    settings = REGISTRY[table["type"]].link_settings.model_validate(link)
    return made(table).link("ann", settings, {}).upkeep()


@pytest.mark.parametrize(
    ("table", "link", "polls", "renewals", "slack", "swept"),
    [
        (GRAPH, TEAMS_USER, 0.0, AVAILABLE, 58.0, True),
        (GRAPH, TEAMS_USER | READ, 0.0, 0.0, None, True),
        (GRAPH | {"refresh": "200s"}, TEAMS_USER, 0.0, 1 / 210, 80.0, True),
        (GRAPH | {"refresh": "265s"}, TEAMS_USER, 0.0, 1 / 278.25, 15.0, True),
        (GRAPH | {"api": "beta"}, TEAMS_USER, 0.0, AVAILABLE, 58.0, True),
        (GRAPH | {"preferred": True}, TEAMS_USER, 0.0, AVAILABLE, 58.0, True),
        (GRAPH | {"preferred": True, "expiration": "5m"}, TEAMS_USER, 0.0, 2 / 220.5, 58.0, True),
        (GRAPH | {"preferred": True, "hold_available": False}, TEAMS_USER, 0.0, HOURLY, 3600 - 0.77 * 3600, True),
        (BOT, {"user_id": 1}, 0.0, 0.0, None, True),
        (BOT, {"user_id": 1, "external": True} | READ, 1 / 300 + 1 / 3300, 0.0, None, False),
        (APP, {"user_id": 1}, 1 / 15, 0.0, None, False),
        (APP | {"sweep": "60s"}, {"username": "ann"}, 1 / 60, 0.0, None, False),
        (SKYPE, SKYPE_USER, 1 / 180, 1 / 180, None, False),
        (SKYPE, SKYPE_USER | READ | {"presence_source": "lurker"}, 1 / 180, 0.0, None, False),
        (CONNECT | {"url": "wss://b/"}, BEMS_USER, 0.0, 0.0, None, False),
        (CONNECT | {"transport": "long-poll"}, BEMS_USER, 1 / 90 + 1 / 240, 0.0, None, False),
        (CONNECT | {"transport": "poll"}, BEMS_USER, 1 / 10 + 1 / 240, 0.0, None, False),
        (CONNECT | {"transport": "poll", "lookup_url": "https://l/"}, BEMS_USER | READ, 0.0, 0.0, None, True),
    ],
)
def test_each_service_says_what_a_link_needs(
    table: dict[str, Any], link: dict[str, Any], polls: float, renewals: float, slack: float | None, swept: bool
) -> None:
    found = upkeep(table, link)
    assert (found.polls, found.renewals) == pytest.approx((polls, renewals), rel=1e-3)
    assert found.slack == (slack if slack is None else pytest.approx(slack, rel=1e-3))
    assert found.is_swept is swept


@pytest.mark.parametrize(
    ("table", "links", "sweeps"),
    [
        (GRAPH, 0, 0.0),
        (GRAPH, 650, 1 / 5),
        (GRAPH | {"sweep": "10s"}, 651, 2 / 10),
        (BOT, 50, 50 / 15),
        (BOT, 51, 1 / 60),
        (BOT | {"sweep": "30s"}, 5001, 2 / 30),
        (SKYPE, 100, 0.0),
        (CONNECT | {"url": "wss://b/", "lookup_url": "https://l/"}, 101, 2 / 20),
    ],
)
def test_each_service_says_what_its_sweeps_need(table: dict[str, Any], links: int, sweeps: float) -> None:
    assert made(table).sweeping(links) == pytest.approx(sweeps)


@pytest.mark.parametrize("table", [GRAPH, BOT, APP, SKYPE, CONNECT | {"url": "wss://b/"}])
def test_each_service_grants_what_is_set_and_a_burst_in_proportion(table: dict[str, Any]) -> None:
    traits = made(table | {"rate": 3.0}).traits
    assert (traits.rate, traits.burst) == (3.0, 3.0 * BURST)
    traits = made(table).traits
    assert traits.burst == traits.rate * BURST
    if traits.limit is not None:
        assert traits.rate == traits.limit.rate


def test_a_link_that_neither_is_swept_nor_pushes_is_polled_alone() -> None:
    service = Service("desk")
    for traits, polls, swept in (
        (Traits(1.0, 1.0, 1.0, poll_every=4.0), 0.25, False),
        (Traits(1.0, 1.0, 1.0, poll_every=4.0, pushes=True), 0.0, False),
        (Traits(1.0, 1.0, 1.0, poll_every=4.0, sweep_size=10), 0.0, True),
    ):
        service.traits = traits
        assert Link(service, "ann", LinkSettings(), {}).upkeep() == Upkeep(polls, is_swept=swept)
