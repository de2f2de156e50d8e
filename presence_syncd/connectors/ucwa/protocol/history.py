"""What went wrong before, and what an error means because of it.

The one rule: an answer that ends an application ends it once, and every way back is counted, so that no server can make
us go round. Sources: the UCWA page Application dashboard, and the policy of the project for each answer (§9.4, §1.6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from presence_syncd.connectors.flow import doubled
from presence_syncd.connectors.ucwa.protocol.problem import ApplicationLost, Forbidden, Gone
from presence_syncd.errors import Rejected, ServiceError, SessionExpired, Unavailable

HEALTHY = 1800.0
"""After this many seconds of listening, what went wrong before is forgotten."""
PARK = (900.0, 7200.0)
DISCOVERY = (5.0, 300.0)
CREATE = (1.0, 30.0)
RECREATE = (5.0, 900.0)
REDIRECT = (30.0, 600.0)
"""Back-offs in seconds: the first and the longest, doubling between."""


class Guard:
    """Allows something a few times in a window of seconds."""

    def __init__(self, limit: int = 3, window: float = 600.0) -> None:
        self.limit, self.window = limit, window
        self._times: tuple[float, ...] = ()

    def is_spent(self, at: float) -> bool:
        """Whether there were enough."""
        self._times = tuple(then for then in self._times if at - then < self.window)
        return len(self._times) >= self.limit

    def count(self, at: float) -> None:
        """Count one more."""
        self._times = (*self._times, at)

    def allow(self, at: float) -> bool:
        """Count one more, unless there were enough."""
        if self.is_spent(at):
            return False
        self.count(at)
        return True

    def clear(self) -> None:
        """Begin anew."""
        self._times = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be raised, and whether the application, the way to it and the tokens are given up."""

    error: ServiceError
    leaves: bool = False
    forgets_way: bool = False
    forgets_tokens: bool = False


class History:
    """The trouble one link has had."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._recreations = Guard()
        self._last_resort = False
        self._was_forbidden = False
        self._since: float | None = None

    def again(self, what: str, limits: tuple[float, float], error: ServiceError) -> Unavailable:
        """Count one more trouble of a kind; the error says how long to wait."""
        count = self._counts.get(what, 0)
        self._counts[what] = count + 1
        return Unavailable(str(error), retry_after=error.retry_after or doubled(limits, count))

    def count(self, what: str) -> int:
        """How often this kind of trouble came since it was last over."""
        return self._counts.get(what, 0)

    def over(self, *what: str) -> None:
        """Note that these kinds of trouble are over."""
        for kind in what:
            self._counts.pop(kind, None)

    def listened(self, at: float) -> None:
        """Note that the event channel answered; after half an hour of it, everything is forgiven."""
        self._since = at if self._since is None else self._since
        if at - self._since >= HEALTHY:
            self._counts.clear()
            self._recreations.clear()
            self._last_resort = self._was_forbidden = False

    def park(self, why: str, status: int = 0) -> Rejected:
        """Stop, and look again after a quarter of an hour, doubling to two hours."""
        waits = self.again("park", PARK, Rejected(why))
        return Rejected(why, status=status, retry_after=waits.retry_after)

    def judge(self, error: ServiceError, at: float) -> Verdict:
        """Decide what an error means now, `at` the daemon's seconds."""
        if isinstance(error, ApplicationLost):
            return self._ended(self._lost(error, at))
        if isinstance(error, Gone):
            return self._ended(_GONE.get(error.subcode, _gone)(self, error))
        if isinstance(error, Forbidden):
            return self._ended(self._forbidden(error))
        return Verdict(error)

    def _ended(self, verdict: Verdict) -> Verdict:
        self._since = None
        return verdict

    def _lost(self, error: ApplicationLost, at: float) -> Verdict:
        """Make another, three times in ten minutes; then look for the way anew, once; then park."""
        if self._recreations.allow(at):
            return Verdict(error, leaves=True)
        if not self._last_resort:
            self._last_resort = True
            self._recreations.clear()
            return Verdict(error, leaves=True, forgets_way=True, forgets_tokens=True)
        return Verdict(self.park(f"applications vanish again and again ({error})"), leaves=True)

    def _forbidden(self, error: Forbidden) -> Verdict:
        """Look for the way anew once per episode; the same answer again is policy."""
        if self._was_forbidden:
            return Verdict(self.park(f"forbidden ({error})", status=403), leaves=True)
        self._was_forbidden = True
        return Verdict(SessionExpired(str(error)), leaves=True, forgets_way=True)


def _gone(history: History, error: Gone) -> Verdict:
    return Verdict(history.park(f"gone ({error})", status=410), leaves=True)


def _inactive(history: History, error: Gone) -> Verdict:
    return Verdict(history.again("inactive", RECREATE, error), leaves=True)


def _agent_refused(_history: History, error: Gone) -> Verdict:
    return Verdict(Rejected(f"the server does not allow this user_agent ({error})", status=410), leaves=True)


def _no_backup(history: History, error: Gone) -> Verdict:
    return Verdict(history.again("redirect", REDIRECT, error), leaves=True, forgets_way=True)


_GONE: dict[str, Callable[[History, Gone], Verdict]] = {
    "InactiveApplicationExpired": _inactive,
    "UserAgentNotAllowed": _agent_refused,
    "CannotRedirect": _no_backup,
}
"""410 by subcode; TooManyApplications and any other park."""
