"""Figures are made of results as they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks.figures import Figure, figures


def crowd(size: int, **more: Any) -> dict[str, Any]:
    """A result of a crowd whose costs are so many times its size."""
    lags = dict.fromkeys(("lag_p99", "lag_max", "changing_lag_p99", "changing_lag_max"), 0.001)
    costs = {"start_cpu": size * 0.01, "changing_cpu": size * 0.001, "idle_cpu": size * 0.0001, "commits": 1.0}
    brief = dict.fromkeys(("start", "stop", "scrape", "reload_same", "reload_policy"), 1.0)
    told = {"change_p50": 0.01, "change_p99": 0.02, "changes": 9, "left": 0, "links": ["teams"], "memory": 1024.0}
    return {"size": size, **lags, **costs, **brief, **told, **more}


def found(results: dict[str, Any]) -> dict[str, Figure]:
    """The figures of results, by name."""
    return {figure.name: figure for figure in figures(results)}


def test_growth_is_fitted_over_all_sizes() -> None:
    linear = {"polled": crowd(100), "polled@0.1": crowd(10), "polled@1.5": crowd(150)}
    assert found(linear)["growth exponent, polled, CPU to start, 10 to 150"].value == pytest.approx(1.0)
    assert found(linear)["growth exponent, polled, memory, 10 to 150"].value == pytest.approx(1.0)
    assert found(linear)["growth exponent, polled, CPU to start, less upkeep, 10 to 150"].value == pytest.approx(1.0)
    kept = {
        name: {**run, "start": 100 * run["size"] / 150, "start_cpu": run["start_cpu"] + run["size"] ** 2 / 30_000}
        for name, run in linear.items()
    }
    assert (found(kept)["growth exponent, polled, CPU to start, 10 to 150"].value or 0) > 1.05
    assert found(kept)["growth exponent, polled, CPU to start, less upkeep, 10 to 150"].value == pytest.approx(1.0)
    square = {name: {**run, "changing_cpu": run["size"] ** 2} for name, run in linear.items()}
    assert found(square)["growth exponent, polled, CPU changing, 10 to 150"].verdict == "missed"
    swept = {"swept": crowd(100), "swept@0.1": crowd(10, idle_cpu=0.1), "swept@1.5": crowd(150)}
    assert found(swept)["growth exponent, swept, memory, 10 to 150"].verdict == "met"
    assert (found(swept)["growth exponent, swept, CPU idle, 10 to 150"].value or 0) < 0


def test_a_crowd_is_compared_with_the_one_by_hand_of_its_size() -> None:
    hands = {"hand": {"size": 100, "memory": 1.0, "change_p50": 0.005, "change_p99": 0.005}}
    hands |= {"hand@0.1": {"size": 10, "memory": 1.0, "change_p50": 0.01, "change_p99": 0.02}}
    both = found({"polled": crowd(100), "polled@0.1": crowd(10), **hands})
    assert both["change accepted, p99, / by hand, 10"].value == pytest.approx(1.0)
    assert both["change accepted, p99, / by hand, 100"].verdict == "missed"


def test_what_has_no_value_is_skipped_and_is_json() -> None:
    row = Figure("of nothing", float("nan"), bar=1.0).row()
    assert row["verdict"] == "skipped"
    assert json.loads(json.dumps(row, allow_nan=False))["value"] is None
