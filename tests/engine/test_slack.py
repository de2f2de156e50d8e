"""The least slack: of the last ten to twenty minutes, whoever asks."""

from __future__ import annotations

import anyio
import pytest

from presence_syncd.engine.clock import Clock
from presence_syncd.engine.slack import SPAN, LeastSlack
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time


def least() -> LeastSlack:
    return LeastSlack(Clock(lambda: 0.0))


async def test_nothing_was_seen_before_the_first_renewal() -> None:
    assert least().seen() is None


async def test_the_least_counts_and_late_ones_are_negative() -> None:
    slack = least()
    for seconds in (60.0, -3.0, 50.0):
        slack.note(seconds)
    assert slack.seen() == -3.0


@pytest.mark.parametrize(("later", "seen"), [(0.99, 5.0), (1.99, 5.0), (2.01, None), (9.5, None)])
async def test_it_is_remembered_for_ten_minutes_and_forgotten_after_twenty(later: float, seen: float | None) -> None:
    slack = least()
    slack.note(5.0)
    await anyio.sleep(later * SPAN)
    assert slack.seen() == seen
    assert slack.seen() == seen
    slack.note(7.0)
    assert slack.seen() == (7.0 if seen is None else 5.0)


async def test_spans_follow_each_other_however_rarely_they_are_looked_at() -> None:
    slack = least()
    slack.note(1.0)
    await anyio.sleep(1.5 * SPAN)
    slack.note(2.0)
    await anyio.sleep(SPAN)
    assert slack.seen() == 2.0
    await anyio.sleep(SPAN)
    assert slack.seen() is None
