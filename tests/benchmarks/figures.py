"""What is measured becomes figures: one line each, with a bar where there is one.

The one rule: a figure is a ratio to a yardstick of the same run wherever there is a yardstick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isnan, log
from statistics import linear_regression, median
from typing import Any

Results = dict[str, Any]
KB = 1024.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `bar` is the least, or with `most` the greatest, value that will do; None: there is no bar."""

    name: str
    value: float | None
    unit: str = ""
    bar: float | None = None
    most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `skipped` without a value, or nothing without a bar."""
        if self.value is None or isnan(self.value):
            return "skipped"
        if self.bar is None:
            return ""
        return "met" if (self.value <= self.bar if self.most else self.value >= self.bar) else "missed"

    def row(self) -> dict[str, Any]:
        """The figure as values."""
        value = None if self.verdict == "skipped" else self.value
        return {
            "name": self.name,
            "value": value,
            "unit": self.unit,
            "bar": self.bar,
            "most": self.most,
            "verdict": self.verdict,
            "note": self.note,
        }


def _ratio(rows: list[dict[str, float]] | None, ours: list[dict[str, float]], key: str) -> float | None:
    """The median over rounds of how many of ours are done in the time of one of theirs."""
    return median(a[key] / b[key] for a, b in zip(rows, ours, strict=True)) if rows else None


def _throughput(
    name: str, rows: list[dict[str, float]] | None, ours: list[dict[str, float]], bar: float | None
) -> Figure:
    """Pieces per second of the one core the process has; by the clock, which neighbours disturb, beside it."""
    ratio = _ratio(rows, ours, "cpu")
    note = "not installed" if ratio is None else f"by the clock {_ratio(rows, ours, 'wall'):.2f}"
    return Figure(name, ratio, "x", bar, note=note)


def throughput(results: Results) -> Iterator[Figure]:
    """Refreshes, against the bare client."""
    for key, label, bars in (("graph", "", (0.7, 2.0)), ("graph-tls", ", TLS", (None, None))):
        if (graph := results.get(key)) is not None:
            for name, bar in zip(("unbatched", "batched"), bars, strict=True):
                yield from _refreshes(f"{name}{label}", graph, graph[name], bar)


def _refreshes(name: str, graph: Results, ours: list[dict[str, float]], bar: float | None) -> Iterator[Figure]:
    yield _throughput(f"Graph refresh, {name}, / bare loop", graph["bare"], ours, bar)
    yield _throughput(f"Graph refresh, {name}, / bare loop, httpx's own carrier", graph["usual"], ours, None)
    yield _throughput(f"Graph refresh, {name}, / bare asyncio streams", graph["streams"], ours, None)
    yield Figure(f"CPU per refresh, {name}", median(row["cpu"] for row in ours) * 1e6, "us")


def vendors(results: Results) -> Iterator[Figure]:
    """Against the vendors' own libraries."""
    if (graph := results.get("graph-tls")) is not None:
        yield _throughput("Graph refresh, batched, TLS, / msgraph-sdk", graph.get("sdk"), graph["batched"], 8.0)
    if (pod := results.get("symphony")) is not None:
        yield _throughput("Symphony set presence, whole path, / BDK", pod.get("bdk"), pod["daemon"], 1.2)
        cost = median(row["cpu"] for row in pod["daemon"]) * 1e6
        yield Figure("CPU per change in Symphony", cost, "us")


def size(results: Results) -> Iterator[Figure]:
    """Memory, start and stop."""
    for key, bar in (("swept", None), ("polled", 48.0), ("polled-tls", 90.0)):
        if (run := results.get(key)) is not None:
            label = f"{len(run['links'])} links, {run['size']}{', TLS' if key.endswith('tls') else ''}"
            yield Figure(f"memory per account, {label}", run["memory"] / KB, "KB", bar, most=True)
            yield Figure(f"start until all live, {label}", run["start"], "s")
            yield Figure(f"stop, {label}", run["stop"], "s")
            yield Figure(f"not signed out on stop, {label}", run["left"], "", 0, most=True)
    if (hand := results.get("hand")) is not None:
        yield Figure(f"memory per account by hand, {hand['size']}", hand["memory"] / KB, "KB")


def loop(results: Results) -> Iterator[Figure]:
    """What stops the loop, and what nothing costs."""
    if (run := results.get("polled")) is None:
        return
    at = f"{run['size']}"
    yield Figure(f"loop lag p99, idle, {at}", run["lag_p99"] * 1e3, "ms", 10.0, most=True)
    yield Figure(f"loop lag max, idle, {at}", run["lag_max"] * 1e3, "ms", 100.0, most=True)
    yield Figure(f"loop lag p99, changing, {at}", run["changing_lag_p99"] * 1e3, "ms", 10.0, most=True)
    yield Figure(f"loop lag max, changing, {at}", run["changing_lag_max"] * 1e3, "ms", 100.0, most=True)
    yield Figure(f"idle CPU, {at}", run["idle_cpu"] * 100, "% of a core")
    yield Figure(f"CPU with 1 %/s changing, {at}", run["changing_cpu"] * 100, "% of a core")
    yield Figure(f"scrape, {at}", run["scrape"] * 1e3, "ms")
    yield Figure(f"reload, nothing new, {at}", run["reload_same"] * 1e3, "ms CPU")
    yield Figure(f"reload, new policy, {at}", run["reload_policy"] * 1e3, "ms CPU")
    yield Figure(f"store commits, 1 %/s changing, {at}", run["commits"], "/s", note=f"{run['changes']} changes")


def latency(results: Results) -> Iterator[Figure]:
    """A change, from its event to its acceptance by the two other services."""
    hands = _sizes(results, "hand")
    for at, run in _sizes(results, "polled").items():
        for part, longest, most in (("p50", None, None), ("p99", 50.0, 2.0)):
            ours, note = run[f"change_{part}"], f"{run['changes']} changes"
            yield Figure(f"change accepted, {part}, {at}", ours * 1e3, "ms", longest, most=True, note=note)
            if at in hands:
                theirs = hands[at][f"change_{part}"]
                yield Figure(f"change accepted, {part}, / by hand, {at}", ours / theirs, "x", most, most=True)


def growth(results: Results) -> Iterator[Figure]:
    """Exponents of growth, fitted over crowds of several sizes.

    Who has started must be kept while others start, half of all in the mean: a crowd that starts for a hundred times as
    long costs that for a hundred times as long. So starting is told without that, too.
    """
    for kind, last in (("polled", "changing"), ("swept", "idle")):
        runs = _sizes(results, kind)
        costs = {
            "memory": [run["memory"] * run["size"] for run in runs.values()],
            "CPU to start": [run["start_cpu"] for run in runs.values()],
            "CPU to start, less upkeep": [
                run["start_cpu"] - run["idle_cpu"] * run["start"] / 2 for run in runs.values()
            ],
            f"CPU {last}": [run[f"{last}_cpu"] for run in runs.values()],
        }
        for name, cost in costs.items() if len(runs) > 1 else ():
            rise = linear_regression([log(at) for at in runs], [log(value) for value in cost]).slope
            yield Figure(f"growth exponent, {kind}, {name}, {min(runs)} to {max(runs)}", rise, "", 1.05, most=True)


def _sizes(results: Results, name: str) -> dict[int, Results]:
    """Results of one measurement by size of the crowd, the small ones first."""
    found = {run["size"]: run for key, run in results.items() if key.partition("@")[0] == name}
    return dict(sorted(found.items()))


def storm(results: Results) -> Iterator[Figure]:
    """Many changes at once, while Graph enforces its limit."""
    if (run := results.get("storm")) is None:
        return
    at = f"storm, {run['size']}"
    for part in ("p50", "p99"):
        yield Figure(f"change accepted, {part}, {at}", run[part] * 1e3, "ms")
    yield Figure(f"loop lag max, {at}", run["lag_max"] * 1e3, "ms", 100.0, most=True)
    yield Figure(f"CPU, {at}", run["cpu"] * 100, "% of a core")
    left, note = run["changed"] - run["converged"], f"of {run['changed']} in {run['seconds']:g} s"
    yield Figure(f"changes that arrived nowhere, {at}", left, "", 0, most=True, note=note)
    yield Figure(f"self-made 429, {at}", run["refused"], "", 0, most=True)


def sessions(results: Results) -> Iterator[Figure]:
    """What must never happen."""
    if (run := results.get("compressed")) is not None:
        note = f"{run['renewals']:.0f} renewals in {run['hours']:.2f} h of the service's time"
        yield Figure("lapsed sessions", run["lapses"], "", 0, most=True, note=note)
        yield Figure("late refreshes", run["late"], "", 0, most=True)
        yield Figure("self-made 429", run["refused"] + run["throttled"], "", 0, most=True)
    if (run := results.get("polls")) is not None:
        note = f"{run['reports']} reports, {run['listening']} polls"
        gap = f"longest gap {run['poll_gap']:.1f} s of 300"
        yield Figure(f"late reports of activity, {run['size']}", run["late"], "", 0, most=True, note=note)
        yield Figure(f"longest wait for a report, {run['size']}", run["report_gap"], "s of 240")
        yield Figure(f"applications that expired, {run['size']}", run["expired"], "", 0, most=True, note=gap)
        yield Figure(f"not signed out on stop, {run['size']}", run["left"], "", 0, most=True)
        yield Figure(f"stop with everybody signed out, {run['size']}", run["stop"], "s", 10.0, most=True)


GROUPS: tuple[Callable[[Results], Iterator[Figure]], ...] = (
    throughput,
    vendors,
    size,
    latency,
    loop,
    growth,
    storm,
    sessions,
)


def figures(results: Results) -> list[Figure]:
    """Every figure the results have."""
    return [figure for group in GROUPS for figure in group(results)]


def table(found: list[Figure]) -> str:
    """The figures as text."""
    lines = [f"{'figure':64} {'value':>10} {'':12} {'bar':>8}  {'':8}"]
    for figure in found:
        value = "-" if figure.verdict == "skipped" else f"{figure.value:10.2f}"
        bar = "" if figure.bar is None else f"{'<=' if figure.most else '>='} {figure.bar:g}"
        lines.append(
            f"{figure.name:64} {value:>10} {figure.unit:12} {bar:>8}  {figure.verdict:8} {figure.note}".rstrip()
        )
    return "\n".join(lines)
