"""The alert rules: what promtool says of them, and that each has tests, words and a section in the runbook."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from presence_syncd.metrics import Metrics
from tests.deploy.places import OURS, PROMETHEUS, RULES, RUNBOOK, alerts, output, tool

PARTS = re.compile(r"_(total|bucket|sum|count)$")


def names() -> set[str]:
    """The metrics that the daemon has, without the endings of their series."""
    return {metric.name for metric in Metrics().registry.collect()}


def cases() -> list[dict[str, Any]]:
    """The cases of `promtool test rules`."""
    return list(yaml.safe_load((PROMETHEUS / "presence-syncd.test.yml").read_text())["tests"])


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in output(tool("promtool", "prometheus"), "check", "rules", RULES)


def test_promtool_accepts_the_example_of_a_scrape() -> None:
    assert "is valid prometheus config" in output(
        tool("promtool", "prometheus"), "check", "config", PROMETHEUS / "scrape.yml"
    )


def test_each_alert_fires_and_does_not_fire_where_it_should() -> None:
    assert "SUCCESS" in output(tool("promtool", "prometheus"), "test", "rules", PROMETHEUS / "presence-syncd.test.yml")


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_a_case_in_which_it_is_silent_before_it_fires(name: str) -> None:
    asked = [case["promql_expr_test"] for case in cases() if "promql_expr_test" in case]
    firing = [case for case in asked if any(f'"{name}"' in str(ask["exp_samples"]) for ask in case)]
    assert any(not ask["exp_samples"] for case in firing for ask in case)


@pytest.mark.parametrize("name", alerts())
def test_every_alert_says_what_it_is_and_where_to_read_on(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"deploy/RUNBOOK.md#{name.lower()}"


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_a_section_in_the_runbook(name: str) -> None:
    section = RUNBOOK.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert [part for part in ("**People**", "**Look**", "**Do**") if part not in section] == []


def test_the_runbook_has_no_section_without_an_alert() -> None:
    assert set(re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)) == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_every_alert_asks_for_metrics_that_the_daemon_has(name: str) -> None:
    asked = {PARTS.sub("", metric) for metric in OURS.findall(alerts()[name]["expr"])}
    assert asked <= names()
