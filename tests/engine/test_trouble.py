"""How long trouble keeps a link or a feed waiting."""

from __future__ import annotations

import random

import pytest
import structlog

from presence_syncd.engine.clock import Clock
from presence_syncd.engine.trouble import FIRST_REFUSED, Trouble
from presence_syncd.errors import AuthRejected, ServiceError, Unavailable


def trouble() -> Trouble:
    """Trouble of nobody."""
    return Trouble(Clock(), random.Random(1), structlog.get_logger())


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_refusal_after_an_outage_is_tried_again_soon(*, is_over: bool) -> None:
    """The outage was long; that says nothing of how long the refusal lasts."""
    told = trouble()
    for _ in range(8):
        told.starts(Unavailable("no connection"), "sweeping")
    if is_over:
        told.ends()
    assert told.starts(AuthRejected("a fresh token is refused"), "sweeping") <= FIRST_REFUSED * 1.1


@pytest.mark.parametrize("error", [Unavailable("no connection"), AuthRejected("refused")])
async def test_trouble_that_lasts_is_tried_less_and_less(error: ServiceError) -> None:
    told = trouble()
    waits = [told.starts(error, "sweeping") for _ in range(4)]
    assert waits[-1] > 3 * waits[0]
