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
HOLD = 180.0 / PRESS
"""Seconds a poll is held."""
DUE = 240.0 / PRESS
"""Seconds after which the server lets availability drop without a report: four minutes."""
LEAST = 2 * HOLD
"""Seconds after which everybody has reported, and polled again, at least once."""


async def measure(base: str, size: int, seconds: float, folder: Path, rate: float | None = None) -> dict[str, Any]:
    """Hold everybody's poll for some seconds with reports of activity going out, then stop; the UCWA rate is ours."""
    link.ACTIVITY_EVERY, link.ACTIVITY_JITTER, link.UNPROVEN_EVERY = 180 / PRESS, 10 / PRESS, 60 / PRESS
    settings = config(base, size, ("skype", "symphony"), rates={"skype": rate} if rate else {})
    async with running(settings, folder):
        await all_listen(base, size, ("skype",))
        await anyio.sleep(max(seconds, LEAST))
        stats = await asked(base, "/-/stats")
        start = time.perf_counter()
    stop = time.perf_counter() - start
    after = await asked(base, "/-/stats")
    return {
        "listening": stats["listening"]["skype"],
        "reports": stats["reports"],
        "late": stats["late"],
        "expired": stats["expired"],
        "report_gap": stats["report_gap"] * PRESS,
        "poll_gap": stats["poll_gap"] * PRESS,
        "signed_out": after["ended"],
        "left": after["applications"],
        "stop": stop,
    }
