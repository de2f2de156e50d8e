"""The tree of errors: the class says what happens next, and who does it.

Every error a service's answer may cause is a `ServiceError`; it ends the flow that met it. Library errors are
translated into this tree once, where they are met.
"""

from __future__ import annotations

from dataclasses import dataclass


class PresenceSyncError(Exception):
    """Anything this program raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration, and where.

    `line` and `column` count from 1; they are 0 where the place is a whole file.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return place + self.message + (f" ({self.hint})" if self.hint else "")


class ConfigError(PresenceSyncError):
    """The configuration cannot be used. Carries every problem at once; the exit code is 78."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ServiceError(PresenceSyncError):
    """A service, or the way to it, did not do what was asked. `retry_after` is in seconds, None if not said.

    `settled`: the service answered that it will not do it, so that it does not do it later either.
    """

    settled = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(ServiceError):
    """The service asks for fewer requests. Wait `retry_after`, then decide again; never replay the old decision."""

    settled = True


class Overtaken(ServiceError):
    """What waited for its turn is not wanted any more, and was not sent. Decide again."""

    settled = True


class Unavailable(ServiceError):
    """The service, or the network to it, is in trouble. Whether a write was applied is not known, unless it is settled.

    `lived` is how many seconds a request had been under way when its connection failed; None if there was an answer.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, lived: float | None = None, settled: bool = False
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.lived, self.settled = lived, settled


class RemoteProtocolError(ServiceError):
    """The service answered with something its documents do not allow. Treated like `Unavailable`."""


class SessionExpired(ServiceError):
    """The session is gone. Sign in again at once, resuming where the service allows it."""


class Rejected(ServiceError):
    """The service refuses this one request for good: a wrong value, a missing user, a missing permission.

    `status` is the HTTP status (0 where there is none). The same request is not sent again until the decision
    changes or a slow probe is due.
    """

    settled = True

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class AuthRejected(ServiceError):
    """The credentials are refused. Park until the configuration or the secret changes, or a slow probe is due.

    `retry_after` None means: no probe by itself, a person must act (an account lock-out would follow).
    """

    settled = True
