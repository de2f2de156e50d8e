"""Reading many users of a pod: each alone while they are few, the pod's list when they are many.

The one rule: one user's trouble is that user's; and nobody is offline because a list once forgot them (the list comes
from a cache, and is read page by page while it changes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from presence_syncd.connectors.connector import Link
from presence_syncd.connectors.flow import Flow, Reply, Request, expect
from presence_syncd.connectors.symphony.wire import Record, record
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import OFFLINE
from presence_syncd.errors import RateLimited, Rejected, RemoteProtocolError, ServiceError, Unavailable

PAGE = 5000
"""Most users one page may have."""
CONFIRMED = 50
"""Most missing users asked for alone in one sweep; beyond that two misses are enough."""
GONE_SECONDS = 300.0
"""How long a user the pod does not know is left alone."""

Observed = dict[str, Observation]


def observation(reply: Reply, shown: Record) -> Observation:
    """What a record says, at the time its answer came."""
    changed_at = None if shown.order is None else shown.order / 1000
    raw = shown.category or "(no category)"
    return Observation(shown.status, raw, reply.started_at, reply.at, order=shown.order, changed_at=changed_at)


class Sweep:
    """The sweeps of one service, and what one has to know of those before it.

    `page` makes the request for the users from an id on; sweeps are `every` seconds apart.
    """

    def __init__(self, page: Callable[[int], Request], every: float) -> None:
        self._page = page
        self._gone_sweeps = max(1, round(GONE_SECONDS / every))
        self._resting: dict[str, int] = {}
        self._misses: dict[str, int] = {}

    def each(self, links: Iterable[Link]) -> Flow[tuple[Observed, list[ServiceError]]]:
        """Read users one by one; also return the trouble there was.

        Stops at the second failure in a row that is not about the user: then the pod is down, not a person gone.
        """
        seen: Observed = {}
        trouble: list[ServiceError] = []
        in_a_row = 0
        for link in self._awake(links):
            try:
                seen[link.key] = yield from link.read()
                in_a_row = 0
            except Rejected as error:
                self._rest(link, error, trouble)
            except (Unavailable, RemoteProtocolError, RateLimited) as error:
                self._rest(link, error, trouble)
                in_a_row += 1
            if in_a_row == 2:
                break
        return seen, trouble

    def _awake(self, links: Iterable[Link]) -> list[Link]:
        """Those who are not left alone in this sweep."""
        due = [link for link in links if link.key not in self._resting]
        self._resting = {key: sweeps - 1 for key, sweeps in self._resting.items() if sweeps > 1}
        return due

    def _rest(self, link: Link, error: ServiceError, trouble: list[ServiceError]) -> None:
        """Leave a user alone for a while, so that those behind get their turn."""
        if isinstance(error, Rejected) and error.status == 404:
            self._resting[link.key] = self._gone_sweeps
            return
        self._resting[link.key] = 1
        trouble.append(error)

    def listed(self, links: Sequence[Link]) -> Flow[tuple[Observed, list[ServiceError]]]:
        """Read users, whose keys are their ids, from the pod's list, and settle who is missing from it."""
        wanted = {int(link.key) for link in links}
        seen, blank = yield from self._pages(min(wanted), max(wanted))
        shown = {link.key: seen[int(link.key)] for link in links if int(link.key) in seen}
        missing = [link for link in links if link.key not in shown]
        self._misses = {link.key: self._misses.get(link.key, 0) + 1 for link in missing}
        doubted = [link for link in missing if self._misses[link.key] == 2][:CONFIRMED]
        confirmed, trouble = yield from self.each(doubted)
        for link in doubted:
            if link.key not in confirmed or confirmed[link.key].status != OFFLINE:
                self._misses[link.key] = 1
        absent = {link.key: blank for link in missing if self._misses[link.key] >= 2}
        return {**absent, **shown, **confirmed}, trouble

    def _pages(self, first: int, last: int) -> Flow[tuple[dict[int, Observation], Observation]]:
        """Read the pages that hold the ids from `first` to `last`; also what a user shows who is on none.

        A page begins with the id it was asked from, so the last of one is the first of the next.
        """
        seen: dict[int, Observation] = {}
        start, started_at = first, None
        while True:
            reply = expect((yield self._page(start)), 200)
            started_at = reply.started_at if started_at is None else started_at
            items = _items(reply)
            found = _people(reply, items)
            fresh = found.keys() - seen.keys()
            seen.update((user, found[user]) for user in fresh)
            start = max(found, default=start)
            if not fresh or len(items) < PAGE or start >= last:
                return seen, Observation(OFFLINE, "(not listed)", started_at, reply.at)


def _items(reply: Reply) -> list[Any]:
    data = reply.json()
    if not isinstance(data, list):
        raise RemoteProtocolError(f"the list of presences is a JSON {type(data).__name__}")
    return data


def _people(reply: Reply, items: list[Any]) -> dict[int, Observation]:
    """Take what is a record about somebody; one that is not hides nobody else's."""
    records = (record(item) for item in items if isinstance(item, dict))
    return {shown.user_id: observation(reply, shown) for shown in records if shown.user_id is not None}
