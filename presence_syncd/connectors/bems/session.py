"""What one link knows of its Connect session, and what a message from the server does to it. No flows here.

The one rule: what the server says of an earlier session changes nothing of this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from presence_syncd.connectors.bems.events import Marks, Shown, contacts_in
from presence_syncd.connectors.bems.frames import Frames
from presence_syncd.connectors.bems.jsonrpc import Answer, Call, Calls, Cause, Failure, read_answer
from presence_syncd.connectors.bems.wire import UNKNOWN_RAW, same_contact, status_of
from presence_syncd.connectors.fields import Secret
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import Status
from presence_syncd.core.values import replace
from presence_syncd.errors import AuthRejected, Rejected, ServiceError, SessionExpired, Unavailable

YOUNG = 60.0
"""A session that ends within this many seconds of its beginning is not replaced at once."""
SLOW_PROBE = 900.0
"""Seconds until a refused token is tried again."""
MOST_UNREAD = 16
"""How many sets of keys of unreadable events are kept to be looked at."""


class TokenRefused(AuthRejected):
    """The server does not take the GD auth token."""


ENDS_SESSION = frozenset({Cause.SESSION, Cause.STATE, Cause.CREDENTIAL})
"""Causes after which only a new session helps."""
_ERRORS: dict[Cause, type[ServiceError]] = {
    Cause.SESSION: SessionExpired,
    Cause.STATE: SessionExpired,
    Cause.CREDENTIAL: TokenRefused,
    Cause.PROXY: Unavailable,
    Cause.SERVER: Unavailable,
    Cause.PENDING: Unavailable,
    Cause.LOST: Unavailable,
}


def error_of(method: str, failure: Failure) -> ServiceError:
    """The error a failed call means; Rejected where the same call will never succeed."""
    return _ERRORS.get(failure.cause, Rejected)(f"{method}: {failure}")


class Session:
    """The state of one link. `contact` is the person, as configured; `guesses` the words tried beyond the documents."""

    def __init__(self, contact: str, guesses: Mapping[str, str], event: str | None, counters: Counter[str]) -> None:
        self.contact, self.own = contact, same_contact(contact)
        self._guesses, self._event, self.counters = guesses, event.lower() if event else None, counters
        self.frames, self.calls, self.marks = Frames(counters), Calls(), Marks()
        self.outbox: list[Call] = []
        self.token: Secret | None = None
        self.was_refused = False
        self.number = 0
        self.begun_at = float("-inf")
        self.is_begun = self.is_ready = self.is_renewing = self.is_following = False
        self.fault: ServiceError | None = None
        self.register_at = 0.0
        self.ping_after: float | None = None
        self.shown: str | None = None
        self.last: Observation | None = None
        self._was_shown: str | None = None
        self._may_be_ours: Callable[[Status], bool] | None = None
        self.disabled: set[str] = set()
        self.unread: set[tuple[str, ...]] = set()
        self._young_deaths = 0
        self._ended_at = float("-inf")

    def take(self, body: str | bytes, at: float, number: int | None = None) -> list[Observation]:
        """Take a frame that came at `at`, asked for in session `number`; returns what it shows of the person."""
        is_old = number is not None and number != self.number
        answers = [read_answer(message) for message in self.frames.read(body)]
        return [seen for a in answers if not self.marks.is_repeated(a) for seen in self._heed(a, at, is_old=is_old)]

    def _heed(self, answer: Answer, at: float, *, is_old: bool) -> list[Observation]:
        is_ours = self.calls.is_ours(answer)
        call = self.calls.settle(answer)
        if answer.failure is not None:
            self._heed_failure(answer.failure, call, is_ours=is_ours or is_old)
            return []
        if is_ours and call is None:
            return []  # an acceptance carries no authoritative data, and a late answer no news
        shown = contacts_in(answer.data, self._guesses) if self._may_tell(answer, call) else []
        if call is None and not shown:
            self._cannot_read(answer)
        return self._observed(shown, answer, call.started_at if call else at, at)

    def _may_tell(self, answer: Answer, call: Call | None) -> bool:
        return call is not None or self._event in (None, answer.method)

    def _cannot_read(self, answer: Answer) -> None:
        self.counters["unread"] += 1
        if len(self.unread) < MOST_UNREAD:
            self.unread.add((answer.method[:64], *sorted(str(key)[:64] for key in answer.data)[:16]))

    def _observed(self, shown: list[Shown], answer: Answer, started_at: float, at: float) -> list[Observation]:
        mine = [entry for entry in shown if entry.contact == self.own]
        self.counters["foreign"] += len(shown) - len(mine)
        news = [entry for entry in mine if self.marks.is_news(entry.contact, answer.sequence)]
        self.counters["outdated"] += len(mine) - len(news)
        return [self._note_shown(Observation(status_of(e.name), e.name, started_at, at, e.note)) for e in news]

    def _note_shown(self, seen: Observation) -> Observation:
        if seen.raw == UNKNOWN_RAW:
            self.counters["unknown"] += 1
        else:
            self.shown = seen.raw
            seen = self._settle_whose(seen)
        self.last = seen
        return seen

    def _settle_whose(self, seen: Observation) -> Observation:
        """Tell what signing in made the server show from what the person said: by the first reading of a session."""
        is_made_by_us, self._may_be_ours = self._may_be_ours, None
        if is_made_by_us is None or seen.raw == self._was_shown or not is_made_by_us(seen.status):
            return seen
        return replace(seen, by_signing_in=True)

    def _heed_failure(self, failure: Failure, call: Call | None, *, is_ours: bool) -> None:
        """End the session where a failure of it (of a call, or of none) means that."""
        if self.is_ready and failure.cause in ENDS_SESSION and (call is not None or not is_ours):
            self.fault = self.fault or SessionExpired(str(failure))
            self.is_ready = False
            self.forget(refused=failure.cause is Cause.CREDENTIAL)

    def forget(self, *, refused: bool) -> None:
        """The session is no more; where its token was `refused`, that is read anew."""
        self.is_begun = self.is_ready = self.is_following = False
        if refused:
            self.token, self.was_refused = None, True

    def begin(self, now: float, was_shown: str | None, may_be_ours: Callable[[Status], bool]) -> None:
        """A new session began: nothing of the old one holds.

        `was_shown` is the name known to be shown before; `may_be_ours` tells whether signing in leads to a status.
        """
        self.number += 1
        self._was_shown, self._may_be_ours = was_shown, may_be_ours
        self.marks = Marks()
        self.begun_at, self.register_at, self.ping_after = now, 0.0, None
        self.is_begun, self.is_following, self.fault, self.was_refused = True, False, None, False

    def disconnect(self) -> None:
        """What carried the messages is gone; nobody knows what became of the calls under way."""
        self.is_ready, self.fault = False, None
        self.outbox.clear()
        self.calls.lose_all()

    def pause_before_next(self, now: float) -> float:
        """Seconds to wait before the session that just ended is replaced: none, unless it was young."""
        lived = now - max(self.begun_at, self._ended_at)
        self._ended_at = now
        self._young_deaths = self._young_deaths + 1 if lived < YOUNG else 0
        return min(2.0**self._young_deaths, YOUNG) if self._young_deaths > 1 else 0.0
