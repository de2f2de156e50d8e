"""Every metric of the daemon, in one registry. Base units; few, bounded labels: never an account.

The one rule: this module imports nothing of ours, and nothing else defines a metric.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

M = TypeVar("M", Counter, Histogram)
PREFIX = "presence_syncd"
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Buckets for what should take less than a second."""
SLACK = (0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Buckets for the time left before a session would have ended."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The daemon's metrics; one object per daemon, so that tests and demos do not share."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._of_accounts()
        self._of_services()
        self._of_the_process()

    def _of_accounts(self) -> None:
        """What becomes of people's changes."""
        self.accounts = self._gauge("accounts", "Accounts by state.", "state")
        self.links = self._gauge(
            "links", "Links by service and by the reason of their last decision.", "service", "state"
        )
        self.observations = self._counter("observations", "Readings, by what they were found to be.", "service", "kind")
        self.publish = self._counter("publish", "Writes, by reason and outcome.", "service", "reason", "outcome")
        self.propagation = self._histogram(
            "propagation_seconds", "From the observed change to its acceptance elsewhere.", QUICK, "source", "target"
        )
        self.refresh_slack = self._histogram(
            "refresh_slack_seconds", "Time left when a session was renewed.", SLACK, "service"
        )
        self.least_slack = self._gauge(
            "refresh_slack_least_seconds",
            "Least time left when a session was renewed in the last 10 to 20 minutes; negative: late.",
            "service",
        )
        self.lapsed = self._counter("lapsed_sessions", "Sessions that ended although their state was true.", "service")
        self.behind = self._gauge(
            "behind_seconds", "For how long the link that is longest behind has not shown what it should.", "service"
        )
        self.diverged = self._gauge("diverged_links", "Links that do not show what was written.", "service")
        self.shadowed = self._gauge("shadowed_links", "Links where something of higher rank is shown.", "service")
        self.parked = self._gauge("parked_accounts", "Accounts that wait for a person to act.", "reason")

    def _of_services(self) -> None:
        """What is asked of the services, and what they grant."""
        self.requests = self._counter("requests", "Requests, by answer.", "service", "operation", "status")
        self.request_seconds = self._histogram(
            "request_seconds", "Time from request to whole answer.", QUICK, "service", "operation"
        )
        self.budget_used = self._gauge(
            "budget_used_ratio", "Part of the request budget used in the last seconds.", "service"
        )
        self.budget_planned = self._gauge(
            "budget_planned_ratio", "Part of the granted requests that sweeps and renewals need.", "service"
        )
        self.budget_headroom = self._gauge(
            "budget_headroom_ratio",
            "Part of the request budget that is left while everybody is there; negative: it does not fit.",
            "service",
        )
        self.throttled = self._counter("throttled", "Answers that asked for fewer requests.", "service")
        self.feed_age = self._gauge("feed_age_seconds", "Time since the last proof that a feed works.", "service")
        self.feed_limit = self._gauge(
            "feed_age_limit_seconds", "Age of the last proof from which a feed counts as late.", "service"
        )

    def _of_the_process(self) -> None:
        """How the daemon itself is."""
        self.state_kept = self._gauge("state_kept", "Whether what must survive a restart is kept (1) or not (0).")
        self.restarts = self._counter(
            "restarts", "Tasks restarted after an error, by the service in which it was met.", "service", "error"
        )
        self.reload_ok = self._gauge(
            "config_last_reload_successful", "Whether the last reload was taken (1) or refused (0)."
        )
        self.reload_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "Unix time of the last configuration taken."
        )
        self.loop_lag = self._histogram("loop_lag_seconds", "How late the event loop wakes a sleeper.", QUICK)
        self.build = self._gauge("build_info", "The version that runs.", "version")

    def expect(self, service: str) -> None:
        """Begin the counters of which one event counts, so that the first one is seen as an increase."""
        self.throttled.labels(service)
        self.lapsed.labels(service)

    def request(self, service: str, operation: str, status: str, seconds: float) -> None:
        """Count one request and its time."""
        self.requests.labels(service, operation, status).inc()
        self.request_seconds.labels(service, operation).observe(seconds)

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return _remembering(Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return _remembering(Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry))


def _remembering(metric: M) -> M:
    """Find a child by its labels at once: the library makes texts of them and takes a lock, four times a write."""
    metric.labels = cache(metric.labels)  # type: ignore[method-assign]  # children of counters are never taken away
    return metric
