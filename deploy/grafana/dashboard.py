"""The Grafana dashboard, by code: prints dashboard.json, which is committed beside this file.

    pip install 'grafana-foundation-sdk==1769699379!11.6.0'     # with the epoch: without it pip takes one for 10.1
    python deploy/grafana/dashboard.py > deploy/grafana/dashboard.json

The one rule: the rows go from what people notice to what the machine does. Every query is executed by a real Prometheus
in tests/deploy; no real Grafana has drawn it there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HERE = 'instance=~"$instance"'
THERE = 'instance=~"$instance", service=~"$service"'
RATE = "$__rate_interval"
RELOADED = "presence_syncd_config_last_reload_success_timestamp_seconds"
Panel = TypeVar("Panel", stat.Panel, timeseries.Panel)
WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel: `queries` are pairs of PromQL and legend; `bad` is the value from which it is red, if one number."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    bad: float | None = None
    stacked: bool = False


def quantile(part: float, metric: str, by: str, selector: str) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({part}, sum by (le, {by}) (rate({metric}_bucket{{{selector}}}[{RATE}])))"


def quantiles(
    metric: str, by: str, selector: str, legend: str, parts: tuple[float, ...] = (0.5, 0.95)
) -> tuple[tuple[str, str], ...]:
    """Some quantiles of a histogram, as queries."""
    return tuple((quantile(part, metric, by, selector), f"{legend} p{part * 100:.0f}") for part in parts)


ROWS: dict[str, tuple[Chart, ...]] = {
    "Now": (
        Chart("Running", "Daemons that answer.", (('sum(up{job="presence-syncd", ' + HERE + "})", ""),)),
        Chart(
            "Accounts",
            "People whose account runs.",
            ((f'sum(presence_syncd_accounts{{{HERE}, state="running"}})', ""),),
        ),
        Chart(
            "Parked accounts",
            "Accounts that wait for a person to act.",
            ((f"sum(presence_syncd_parked_accounts{{{HERE}}})", ""),),
            bad=1,
        ),
        Chart(
            "Oldest proof of life",
            "The age of the last proof that a service answers, of the worst one.",
            ((f"max(presence_syncd_feed_age_seconds{{{THERE}}})", ""),),
            unit="s",
            bad=330,
        ),
        Chart(
            "Wrongly shown",
            "Links that do not show what was written, the shadowed ones apart.",
            ((f"sum(presence_syncd_diverged_links{{{THERE}}} - presence_syncd_shadowed_links{{{THERE}}})", ""),),
            bad=1,
        ),
        Chart(
            "Configuration",
            "1: what is on disk is what runs; 0: the last reload was refused.",
            ((f"min(presence_syncd_config_last_reload_successful{{{HERE}}})", ""),),
        ),
    ),
    "What people notice": (
        Chart(
            "Propagation",
            "From a change seen in one service to its acceptance in another.",
            quantiles("presence_syncd_propagation_seconds", "source, target", HERE, "{{source}} → {{target}}"),
            unit="s",
        ),
        Chart(
            "Writes",
            "Publications per second, by reason and outcome.",
            (
                (
                    f"sum by (service, reason, outcome) (rate(presence_syncd_publish_total{{{THERE}}}[{RATE}]))",
                    "{{service}} {{reason}} {{outcome}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Chart(
            "Readings",
            "What was read, by what it was found to be: the person's own word, our echo, a fade, nothing new.",
            (
                (
                    f"sum by (service, kind) (rate(presence_syncd_observations_total{{{THERE}}}[{RATE}]))",
                    "{{service}} {{kind}}",
                ),
            ),
            unit="ops",
            stacked=True,
        ),
        Chart(
            "Links, by the reason of their last decision",
            "in-sync and own-word are the good ones; `presence-syncd explain ACCOUNT` tells of one.",
            ((f"sum by (service, state) (presence_syncd_links{{{THERE}}}) > 0", "{{service}} {{state}}"),),
            stacked=True,
        ),
    ),
    "Truth": (
        Chart(
            "Diverged and shadowed links",
            "Diverged: not shown as written. Shadowed: something of higher rank hides it.",
            (
                (f"sum by (service) (presence_syncd_diverged_links{{{THERE}}})", "{{service}} diverged"),
                (f"sum by (service) (presence_syncd_shadowed_links{{{THERE}}})", "{{service}} shadowed"),
            ),
        ),
        Chart(
            "Longest behind",
            "For how long the link that is longest behind has not shown, or could not be kept showing, what it should.",
            ((f"max by (service) (presence_syncd_behind_seconds{{{THERE}}})", "{{service}}"),),
            unit="s",
        ),
        Chart(
            "Lapsed sessions",
            "Sessions that ended although their state was true.",
            (
                (
                    f"sum by (service) (increase(presence_syncd_lapsed_sessions_total{{{THERE}}}[{RATE}]))",
                    "{{service}}",
                ),
            ),
        ),
        Chart(
            "Time left at a renewal",
            "How long before its end a session was renewed; the low line must stay above 0.",
            (
                *quantiles("presence_syncd_refresh_slack_seconds", "service", THERE, "{{service}}", parts=(0.05, 0.5)),
                (f"min by (service) (presence_syncd_refresh_slack_least_seconds{{{THERE}}})", "{{service}} least"),
            ),
            unit="s",
        ),
    ),
    "Services": (
        Chart(
            "Age of the last proof of life",
            "Above its limit a feed is late: three rounds, or 5 minutes for one that pushes.",
            (
                (f"max by (service) (presence_syncd_feed_age_seconds{{{THERE}}})", "{{service}}"),
                (f"max by (service) (presence_syncd_feed_age_limit_seconds{{{THERE}}})", "{{service}} limit"),
            ),
            unit="s",
        ),
        Chart(
            "Requests",
            "Requests per second, by answer; none is a connection that failed.",
            (
                (
                    f"sum by (service, status) (rate(presence_syncd_requests_total{{{THERE}}}[{RATE}]))",
                    "{{service}} {{status}}",
                ),
            ),
            unit="reqps",
            stacked=True,
        ),
        Chart(
            "Time of a request",
            "From request to whole answer; long polls wait on purpose.",
            quantiles("presence_syncd_request_seconds", "service, operation", THERE, "{{service}} {{operation}}"),
            unit="s",
        ),
        Chart(
            "Budget used",
            "Part of the requests that may be sent, and what sweeps and renewals need now, and while all are there.",
            (
                (f"max by (service) (presence_syncd_budget_used_ratio{{{THERE}}})", "{{service}}"),
                (f"max by (service) (presence_syncd_budget_planned_ratio{{{THERE}}})", "{{service}} planned"),
                (f"1 - min by (service) (presence_syncd_budget_headroom_ratio{{{THERE}}})", "{{service}} at most"),
            ),
            unit="percentunit",
        ),
        Chart(
            "Throttled",
            "Answers that asked for fewer requests.",
            ((f"sum by (service) (increase(presence_syncd_throttled_total{{{THERE}}}[{RATE}]))", "{{service}}"),),
        ),
    ),
    "Process": (
        Chart(
            "Restarts of tasks",
            "Each but a kill on purpose is a bug, met in the service named; the journal has the traceback.",
            (
                (
                    f"sum by (service, error) (increase(presence_syncd_restarts_total{{{HERE}}}[{RATE}]))",
                    "{{service}} {{error}}",
                ),
            ),
        ),
        Chart(
            "Accounts, by state",
            "Accounts that run, are about to be restarted, or are parked; and why they are parked.",
            (
                (f"sum by (state) (presence_syncd_accounts{{{HERE}}})", "{{state}}"),
                (f"sum by (reason) (presence_syncd_parked_accounts{{{HERE}}}) > 0", "parked: {{reason}}"),
            ),
        ),
        Chart(
            "State kept",
            "1: what must survive a restart is on disk. 0: the state file cannot be written.",
            ((f"min by (instance) (presence_syncd_state_kept{{{HERE}}})", "{{instance}}"),),
        ),
        Chart(
            "Loop lag",
            "How late the event loop wakes a sleeper, 99th percentile.",
            (
                (
                    quantile(0.99, "presence_syncd_loop_lag_seconds", "instance", HERE),
                    "{{instance}}",
                ),
            ),
            unit="s",
        ),
        Chart(
            "Processor",
            "Part of one core.",
            (
                (
                    f'rate(process_cpu_seconds_total{{job="presence-syncd", {HERE}}}[{RATE}])',
                    "{{instance}}",
                ),
            ),
            unit="percentunit",
        ),
        Chart(
            "Memory",
            "Resident.",
            ((f'process_resident_memory_bytes{{job="presence-syncd", {HERE}}}', "{{instance}}"),),
            unit="bytes",
        ),
        Chart(
            "Open files",
            "Against the limit of the process.",
            (
                (f'process_open_fds{{job="presence-syncd", {HERE}}}', "{{instance}} open"),
                (f'process_max_fds{{job="presence-syncd", {HERE}}}', "{{instance}} limit"),
            ),
        ),
        Chart(
            "Versions and last configuration",
            "The version that runs, and the age of its configuration.",
            (
                (f"count by (version) (presence_syncd_build_info{{{HERE}}})", "{{version}}"),
                (
                    f"(time() - {RELOADED}{{{HERE}}}) / 3600",
                    "{{instance}} hours since the last reload",
                ),
            ),
        ),
    ),
}


def queries(chart: Chart) -> Iterator[prometheus.Dataquery]:
    """The chart's queries, lettered."""
    for letter, (expression, legend) in zip("ABCDEF", chart.queries, strict=False):
        yield prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(letter)


def number(chart: Chart) -> stat.Panel:
    """One number, red from `bad` on."""
    steps = [Threshold(value=None, color="green")]
    if chart.bad is not None:
        steps.append(Threshold(value=chart.bad, color="red"))
    thresholds = board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return dressed(stat.Panel().thresholds(thresholds).color_mode(looks.BigValueColorMode.VALUE), chart)


def curve(chart: Chart) -> timeseries.Panel:
    """Lines over time."""
    legend = (
        common.VizLegendOptions().display_mode(looks.LegendDisplayMode.LIST).placement(looks.LegendPlacement.BOTTOM)
    )
    panel = timeseries.Panel().legend(legend.show_legend(True)).fill_opacity(20 if chart.stacked else 5)
    if chart.stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    return dressed(panel, chart)


def dressed(panel: Panel, chart: Chart) -> Panel:
    """What every panel has."""
    panel.title(chart.title).description(chart.description).unit(chart.unit).datasource(SOURCE)
    for query in queries(chart):
        panel.with_target(query)
    return panel


def dashboard() -> board.Dashboard:
    """All of it."""
    built = (
        board.Dashboard("presence-syncd")
        .uid("presence-syncd")
        .tags(["presence-syncd"])
        .description("Is everybody shown as they are, and if not, why. What to do: deploy/RUNBOOK.md.")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(board.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(choice("instance", "presence_syncd_build_info"))
        .with_variable(choice("service", "presence_syncd_links"))
    )
    for title, charts in ROWS.items():
        built.with_row(board.Row(title))
        for chart in charts:
            span = WIDTH // len(charts) if title == "Now" else WIDTH // 2
            built.with_panel((number if title == "Now" else curve)(chart).span(span).height(4 if title == "Now" else 8))
    return built


def choice(label: str, metric: str) -> board.QueryVariable:
    """A variable over the values of a label; all of them at first."""
    return (
        board.QueryVariable(label)
        .label(label.capitalize())
        .datasource(SOURCE)
        .query(f"label_values({metric}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(".*")
        .multi(True)
    )


if __name__ == "__main__":
    sys.stdout.write(JSONEncoder(sort_keys=True, indent=2).encode(dashboard().build()) + "\n")
