"""What the daemon tells of itself: metrics as they are now, readiness, status, explanations.

The one rule: reading changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel

from presence_syncd.chain import chain_of
from presence_syncd.connectors.upkeep import Forecast, Needs, forecast, told
from presence_syncd.core.decision import Reason
from presence_syncd.daemon import Daemon
from presence_syncd.engine.account import Account
from presence_syncd.engine.place import Placed
from presence_syncd.engine.supervisor import State

FEED_LATE = 30.0
"""A feed is late when its last proof of life is older than three rounds and this many seconds."""
SILENCE = 300.0
"""Longest time a service that pushes may say nothing, not even that nothing happened, in seconds."""
COUNT_EVERY, SLICE = 5.0, 250
"""Seconds between two counts of all states, and accounts counted before others get their turn."""
DIVERGED = (Reason.SHADOWED, Reason.REWRITE, Reason.REFUSED)
"""Decisions for links that do not show what they should."""
NOTHING = Needs()
"""What a service needs to which nobody is linked."""
PARKING = ("AuthRejected", "SecretMissing", "crashing")
"""Why an account may wait for a person."""


class Report:
    """Answers for a daemon; the `Source` of its pages."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._counts_itself = False
        self._live_at: dict[str, float] = {}
        self._behind: dict[str, float] = {}
        self._renewals: dict[str, float] = {}
        self._needs: dict[str, Needs] = {}
        self._generation = -1

    async def keep_counting(self) -> None:
        """Count states again and again, in slices: with many accounts a scrape must not stop the loop to count."""
        self._counts_itself = True
        while True:
            counting = self._count()
            for _ in counting:
                await anyio.lowlevel.checkpoint()
            await anyio.sleep(COUNT_EVERY)

    def exposition(self) -> bytes:
        """The metrics; the states as they were counted last, or now if nobody keeps counting."""
        self._count_once()
        self._measure_services()
        return self.daemon.metrics.exposition()

    def _count_once(self) -> None:
        """Count now, if nobody keeps counting."""
        if not self._counts_itself:
            for _ in self._count():
                pass

    def _count(self) -> Iterator[None]:
        """Count links and accounts by state; yields after each slice."""
        links: Counter[tuple[str, Reason]] = Counter()
        behind: dict[str, float] = {}
        parked: Counter[str] = Counter()
        renewals: dict[str, float] = defaultdict(float)
        needs: dict[str, Needs] = defaultdict(Needs)
        generation = self.daemon.generation
        others = generation != self._generation  # what links need follows from their settings
        self._live_at = {}
        for number, account in enumerate(list(self.daemon.tasks.values())):
            for link in account.links:
                links[link.service, link.decision.reason] += 1
                self._note_life(link)
                if link.behind_since is not None:
                    behind[link.service] = min(behind.get(link.service, link.behind_since), link.behind_since)
                renewals[link.service] += _renewals(link)
                if others:
                    needs[link.service].add(link.link.upkeep())
            if kind := parked_reason(account):
                parked[kind] += 1
            if number % SLICE == SLICE - 1:
                yield
        self._renewals, self._behind = renewals, behind
        if others:
            self._needs, self._generation = needs, generation
        self._tell_links(links)
        self._tell_accounts(parked)

    def _note_life(self, link: Placed) -> None:
        if link.live_at is not None:
            self._live_at[link.service] = max(self._live_at.get(link.service, 0.0), link.live_at)

    def _tell_links(self, links: Counter[tuple[str, Reason]]) -> None:
        metrics, services = self.daemon.metrics, self.daemon.drivers
        _set_all(metrics.links, {(s, r): links[s, r] for s in services for r in Reason})
        _set_all(metrics.shadowed, {(s,): links[s, Reason.SHADOWED] for s in services})
        _set_all(metrics.diverged, {(s,): sum(links[s, reason] for reason in DIVERGED) for s in services})

    def _tell_accounts(self, parked: Counter[str]) -> None:
        states = Counter(str(child.state) for child in self.daemon.supervisor.children.values())
        _set_all(self.daemon.metrics.accounts, {(s,): states[s] for s in State})
        parked["crashing"] = states[State.PARKED]
        _set_all(self.daemon.metrics.parked, {(reason,): parked[reason] for reason in PARKING})

    def _measure_services(self) -> None:
        metrics, drivers, now = self.daemon.metrics, self.daemon.drivers, self.daemon.clock.now()
        ages = {name: self._age(name) for name in drivers}
        _set_all(metrics.budget_used, {(name,): driver.budget.used_ratio() for name, driver in drivers.items()})
        _set_all(metrics.budget_planned, {(name,): self.planned_ratio(name) for name in drivers})
        _set_all(metrics.budget_headroom, {(name,): 1 - self.forecast(name).ratio for name in drivers})
        slacks = {name: driver.budget.slack.seen() for name, driver in drivers.items()}
        _set_all(metrics.least_slack, {(name,): slack for name, slack in slacks.items() if slack is not None})
        _set_all(metrics.feed_age, {(name,): age for name, age in ages.items() if age is not None})
        _set_all(metrics.feed_limit, {(name,): self._limit(name) for name in drivers})
        _set_all(metrics.behind, {(name,): now - self._behind.get(name, now) for name in drivers})
        metrics.state_kept.set(not self.daemon.store.failing)

    def planned_ratio(self, service: str) -> float:
        """Part of the granted rate that sweeps and renewals need; above 1 something will be late."""
        driver, feed = self.daemon.drivers[service], self.daemon.feeds.get(service)
        sweeps = feed.requests / driver.service.traits.poll_every if feed else 0.0
        polls = self._needs.get(service, NOTHING).polls
        return (sweeps + polls + self._renewals.get(service, 0.0)) / driver.budget.rate

    def forecast(self, service: str) -> Forecast:
        """What a service's login is granted, and needs while everybody is there."""
        driver = self.daemon.drivers[service]
        return forecast(self._needs.get(service, NOTHING), driver.service.sweeping, driver.budget.full_rate)

    def budgets(self) -> list[dict[str, Any]]:
        """Every login's budget: by plan, and as it is used now."""
        self._count_once()
        names = [name for name in self.daemon.config.services if name in self.daemon.drivers]
        return [{"service": name, **told(self.forecast(name)), **self._used(name)} for name in names]

    def _used(self, service: str) -> dict[str, Any]:
        """What is used of a budget now, in parts of the planned rate, and the least slack seen in seconds."""
        budget = self.daemon.drivers[service].budget
        seen = budget.slack.seen()
        return {"used": round(budget.used_ratio(), 4), "slack_seen": None if seen is None else round(seen, 1)}

    def _age(self, service: str) -> float | None:
        """Seconds since the last proof of life of a service's feed, or of the liveliest of its links."""
        if service in self.daemon.feeds:
            return self.daemon.feeds[service].age()
        at = self._live_at.get(service)
        return None if at is None else self.daemon.clock.now() - at

    def readiness(self) -> dict[str, Any]:
        """Ready when every service has a fresh proof of life; `waiting` names those that have none."""
        if not self.daemon.has_started:
            return {"ready": False, "waiting": {"daemon": "starting"}}
        waiting = {name: self._lateness(name) for name in self.daemon.drivers}
        waiting = {name: text for name, text in waiting.items() if text}
        return {"ready": not waiting, "waiting": waiting}

    def _lateness(self, name: str) -> str:
        """Why a service is not ready; empty if it is, or if nobody is linked to it."""
        age, feed = self._age(name), self.daemon.feeds.get(name)
        if age is None:
            linked = feed.has_links if feed else any(link.service == name for link in self._links())
            return "no answer yet" if linked else ""
        return f"last proof of life {age:.0f} s ago" if age > self._limit(name) else ""

    def _limit(self, service: str) -> float:
        """Seconds without a proof of life after which a service's feed is late: what its own rhythm allows."""
        traits = self.daemon.drivers[service].service.traits
        pushed = traits.pushes and service not in self.daemon.feeds
        return (SILENCE if pushed else 3 * traits.poll_every) + FEED_LATE

    def _links(self) -> Iterator[Placed]:
        return (link for account in self.daemon.tasks.values() for link in account.links)

    def accounts(self) -> list[dict[str, Any]]:
        """Every account, short."""
        return [self._short(name) for name in sorted(self.daemon.tasks)]

    def account(self, name: str) -> dict[str, Any] | None:
        """One account with its whole explanation; None if there is none of that name."""
        account = self.daemon.tasks.get(name)
        if account is None:
            return None
        now = self.daemon.clock.now()
        chain = chain_of(account, self.daemon.feeds, now)
        lately = [{**event, "at": round(now - event["at"], 1)} for event in self.daemon.lately.of(name)]
        return {**self._short(name), **self._lives(name), "explanation": chain, "lately": lately}

    def _lives(self, name: str) -> dict[str, Any]:
        """How often an account's task was started again, and what ended it last."""
        child = self.daemon.supervisor.children.get(name)
        return {"restarts": child.restarts if child else 0, "last_error": (child.error if child else "") or None}

    def _short(self, name: str) -> dict[str, Any]:
        account, child = self.daemon.tasks[name], self.daemon.supervisor.children.get(name)
        composed = account.composed()
        return {
            "account": name,
            "state": parked_reason(account) or (str(child.state) if child else "stopped"),
            "status": str(composed.status) if composed else None,
            "from": (composed.domain or "pin") if composed else None,
            "shows": {link.service: _shows(link) for link in account.links},
            "reasons": {link.service: str(link.decision.reason) for link in account.links},
        }


def _renewals(link: Placed) -> float:
    """Requests per second that renewing what a link shows now needs."""
    publication = link.board.view.entries[link.domain].publication
    if publication is None or publication.refresh_at is None or publication.accepted_at is None or not link.writer:
        return 0.0
    return 1 / max(1.0, publication.refresh_at - publication.accepted_at)


def _shows(link: Placed) -> str | None:
    shown = link.board.view.entries[link.domain].shown
    return str(shown) if shown else None


def parked_reason(account: Account) -> str:
    """Why an account waits for a person: the first lasting trouble of its links; empty if there is none."""
    troubles = (trouble for link in account.links for trouble in (link.trouble, link.hearing))
    kind = next((trouble.kind for trouble in troubles if trouble.is_parked), "")
    return kind if kind in ("", *PARKING) else PARKING[0]  # services have their own kinds of refusal


def _set_all(gauge: Any, values: Mapping[Any, float]) -> None:
    """Set a gauge to these values, and to no others: what is not there any more must not be shown."""
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
