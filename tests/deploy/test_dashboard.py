"""The dashboard: that the committed file is what the code makes, and that it asks for metrics that are there."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import pytest

from tests.deploy.places import DASHBOARD, OURS, expressions, output
from tests.deploy.test_rules import PARTS, names

SDK = "grafana-foundation-sdk==1769699379!11.6.0"


def test_the_committed_dashboard_is_what_the_code_makes() -> None:
    if find_spec("grafana_foundation_sdk") is None:
        pytest.skip(f"the SDK is not installed (pip install '{SDK}')")
    assert json.loads(output(sys.executable, DASHBOARD.with_suffix(".py"))) == json.loads(DASHBOARD.read_text())


def test_the_dashboard_survives_the_way_through_typed_models() -> None:
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason=f"pip install '{SDK}'")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    raw = json.loads(DASHBOARD.read_text())
    assert json.loads(encoder.JSONEncoder().encode(models.Dashboard.from_json(raw))) == raw


def test_every_query_asks_for_metrics_that_the_daemon_has() -> None:
    asked = expressions(json.loads(DASHBOARD.read_text()))
    assert {PARTS.sub("", metric) for query in asked.values() for metric in OURS.findall(query)} <= names()


def test_the_dashboard_shows_every_metric_that_the_daemon_has() -> None:
    asked = " ".join(expressions(json.loads(DASHBOARD.read_text())).values())
    assert {name for name in names() if name.startswith("presence_syncd") and name not in asked} == set()


def test_every_panel_has_a_source_a_description_and_a_unit() -> None:
    panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
    lacking = [p["title"] for p in panels if not (p["description"] and p["fieldConfig"]["defaults"].get("unit"))]
    assert (lacking, {panel["datasource"]["uid"] for panel in panels}) == ([], {"${datasource}"})
