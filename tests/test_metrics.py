"""The metrics: their names are a contract with dashboards and alerts."""

from __future__ import annotations

import pytest

from presence_syncd.metrics import Metrics

NAMES = [
    "accounts",
    "links",
    "observations_total",
    "publish_total",
    "propagation_seconds",
    "refresh_slack_least_seconds",
    "refresh_slack_seconds",
    "lapsed_sessions_total",
    "requests_total",
    "request_seconds",
    "budget_headroom_ratio",
    "budget_planned_ratio",
    "budget_used_ratio",
    "throttled_total",
    "feed_age_seconds",
    "diverged_links",
    "feed_age_limit_seconds",
    "behind_seconds",
    "state_kept",
    "restarts_total",
    "parked_accounts",
    "shadowed_links",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
    "loop_lag_seconds",
    "build_info",
]


@pytest.mark.parametrize("name", NAMES)
def test_each_metric_of_the_contract_is_there(name: str) -> None:
    text = Metrics().exposition().decode()
    assert f"# TYPE presence_syncd_{name} " in text


def test_a_request_is_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.request("teams", "read", "200", 0.2)
    text = metrics.exposition().decode()
    assert 'presence_syncd_requests_total{operation="read",service="teams",status="200"} 1.0' in text
    assert 'presence_syncd_request_seconds_sum{operation="read",service="teams"} 0.2' in text


def test_no_label_names_a_person() -> None:
    for metric in Metrics().registry._collector_to_names:
        assert "account" not in getattr(metric, "_labelnames", ())


def test_two_daemons_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.request("teams", "read", "200", 0.2)
    assert "read" not in other.exposition().decode()
