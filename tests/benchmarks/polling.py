"""Long polls of Skype for Business held by one process, in time that is pressed together: is a keep-alive ever late?

The one rule: the server judges, by its own timers, which are pressed together as much as ours: four minutes without a
report and the person's availability drops, five without a poll and the application is gone.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio

from presence_syncd.connectors.ucwa.protocol import link
from tests.benchmarks.desk import all_listen, asked, config, running

PRESS = 6.0
"""Seconds of the service in one second of the benchmark: the load is as many times what so many people make."""
HOLD = 180.0
"""Seconds a poll is held."""
DUE = 240.0
"""Seconds after which the server lets availability drop without a report."""


def strictness(press: float) -> dict[str, float]:
    """What the service enforces, pressed together."""
    return {"hold": HOLD / press, "due": DUE / press}


async def measure(base: str, size: int, seconds: float, folder: Path, press: float) -> dict[str, Any]:
    """Hold everybody's poll with reports of activity going out, until everybody polled anew at least; then stop."""
    link.ACTIVITY_EVERY, link.ACTIVITY_JITTER, link.UNPROVEN_EVERY = 180 / press, 10 / press, 60 / press
    settings = config(base, size, ("skype", "symphony"))
    async with running(settings, folder):
        await all_listen(base, size, ("skype",))
        await anyio.sleep(max(seconds, 2 * HOLD / press))
        stats = await asked(base, "/-/stats")
        start = time.perf_counter()
    stop = time.perf_counter() - start
    after = await asked(base, "/-/stats")
    return {
        "listening": stats["listening"]["skype"],
        "reports": stats["reports"],
        "late": stats["late"],
        "expired": stats["expired"],
        "report_gap": stats["report_gap"] * press,
        "poll_gap": stats["poll_gap"] * press,
        "signed_out": after["ended"],
        "left": after["applications"],
        "stop": stop,
    }
