"""The errors carry what the one who handles them needs."""

from __future__ import annotations

from copy import copy

import pytest

from presence_syncd.errors import (
    AuthRejected,
    ConfigError,
    Problem,
    RateLimited,
    Rejected,
    RemoteProtocolError,
    ServiceError,
    SessionExpired,
    Unavailable,
)


@pytest.mark.parametrize(
    "kind", [AuthRejected, RateLimited, Rejected, RemoteProtocolError, SessionExpired, Unavailable]
)
def test_a_copy_says_the_same_without_the_traceback(kind: type[ServiceError]) -> None:
    with pytest.raises(kind) as caught:
        raise kind("said", retry_after=3.0)
    again = copy(caught.value)
    assert (str(again), again.retry_after, again.__traceback__) == ("said", 3.0, None)


def test_copies_keep_what_is_special() -> None:
    assert copy(Rejected("no", status=404)).status == 404
    assert copy(Unavailable("no", lived=2.0)).lived == 2.0


def test_every_problem_of_a_configuration_is_told_with_its_place() -> None:
    error = ConfigError([Problem("a.toml", 3, 7, "wrong", "say right"), Problem("b.toml", 0, 0, "unreadable")])
    assert str(error) == "a.toml:3:7: wrong (say right)\nb.toml: unreadable"
