"""The benchmarks run, in small, and say something of everything; no times are judged here."""

from __future__ import annotations

import os
from dataclasses import replace
from math import isfinite

import pytest

from tests.benchmarks.figures import Figure, figures, table
from tests.benchmarks.measuring import Kept, run
from tests.benchmarks.plans import ALL, SMOKE
from tests.benchmarks.polling import PRESS

pytestmark = pytest.mark.skipif(
    not os.environ.get("PRESENCE_SYNCD_LONG"), reason="takes two minutes: PRESENCE_SYNCD_LONG=1 runs it"
)


@pytest.fixture(scope="module")
def found() -> dict[str, Figure]:
    """The figures of a run with twenty people; what must come in time has seconds, for the machine may be busy."""
    extent = replace(SMOKE, press=PRESS, at_once=4)
    return {figure.name: figure for figure in figures(run(extent, ALL, Kept()))}


def test_every_figure_is_produced(found: dict[str, Figure]) -> None:
    groups = (
        "Graph refresh, unbatched, / bare loop",
        "Graph refresh, batched, / bare loop",
        "Graph refresh, batched, / bare asyncio streams",
        "Graph refresh, batched, TLS, / msgraph-sdk",
        "Symphony set presence, whole path, / BDK",
        "memory per account, 2 links, 20",
        "memory per account, 4 links, 20",
        "memory per account, 4 links, 20, TLS",
        "change accepted, p50, / by hand, 2",
        "change accepted, p99, / by hand, 20",
        "loop lag p99, idle, 20",
        "loop lag max, changing, 20",
        "idle CPU, 20",
        "scrape, 20",
        "reload, new policy, 20",
        "store commits, 1 %/s changing, 20",
        "growth exponent, polled, memory, 2 to 30",
        "growth exponent, swept, memory, 2 to 30",
        "change accepted, p50, / by hand, 30",
        "change accepted, p99, storm, 20",
        "changes that arrived nowhere, storm, 20",
        "lapsed sessions",
        "late refreshes",
        "self-made 429",
    )
    assert set(groups) <= found.keys()
    measured = [figure for figure in found.values() if figure.verdict != "skipped"]
    assert all(figure.value is not None and isfinite(figure.value) for figure in measured)
    assert len(table(list(found.values())).splitlines()) == len(found) + 1


def test_nothing_that_must_never_happen_happens(found: dict[str, Figure]) -> None:
    never = (
        "lapsed sessions",
        "late refreshes",
        "self-made 429",
        "not signed out on stop, 20",
        "not signed out on stop, 4 links, 20",
        "changes that arrived nowhere, storm, 20",
        "self-made 429, storm, 20",
    )
    assert [name for name in never if found[name].value] == []


def test_everybody_holds_a_poll_and_no_report_is_late(found: dict[str, Figure]) -> None:
    late = found["late reports of activity, 20"]
    assert late.value == found["applications that expired, 20"].value == 0
    assert late.note.endswith("20 polls")
