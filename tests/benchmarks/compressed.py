"""Sessions that must be renewed, in time that is pressed together: does one lapse, is one late, are we throttled?

The one rule: the fade, the renewal and the service's limit are pressed together alike; the part of the limit we use
is what it would be, and so are its windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from tests.benchmarks.desk import asked, config, live, running

FADE, SHORT = 300.0, 30.0
"""Seconds of the service's fade, and of ours."""
PRESS = FADE / SHORT
USED = 0.8
"""Part of the service's limit that is planned with."""
ROOM = 1.25
"""How much more than renewals need the service grants us here: whoever has more people than fit asks for more."""


LEAST = 100.0
"""Requests per second of the smallest crowd: an envelope must fit."""


def needed(size: int) -> float:
    """Requests per second that renewals and sweeps need, pressed together."""
    return max(LEAST, size / (SHORT * 220 / 300) + (size / 650 + 1) / (5.0 / PRESS))


def strictness(size: int) -> dict[str, Any]:
    """What the service enforces: its limit over its window of 30 s, and its fade."""
    window = 30.0 / PRESS
    return {"fade": SHORT, "limit": int(needed(size) * ROOM / USED * window), "window": window}


async def measure(base: str, size: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Run for some seconds, and tell what went wrong."""
    rate = needed(size) * ROOM
    graph = {"fade": f"{SHORT:g}s", "sweep": f"{5000 / PRESS:g}ms"}
    settings = config(base, size, ("teams", "symphony"), rates={"teams": rate}, graph=graph)
    async with running(settings, folder) as daemon:
        daemon.drivers["teams"].budget.burst = 2 * rate / PRESS  # two seconds of the service's, as without pressing
        await live(daemon)
        await anyio.sleep(max(seconds, SHORT))  # everybody is renewed at least once
        stats = await asked(base, "/-/stats")
        value = daemon.metrics.registry.get_sample_value
        late = value("presence_syncd_refresh_slack_seconds_bucket", {"service": "teams", "le": "0.0"})
        lapsed = value("presence_syncd_lapsed_sessions_total", {"service": "teams"})
        throttled = value("presence_syncd_throttled_total", {"service": "teams"})
        renewals = value("presence_syncd_refresh_slack_seconds_count", {"service": "teams"})
    return {
        "lapses": stats["lapses"],
        "worst_gap": stats["worst_gap"],
        "refused": stats["refused"],
        "late": (late or 0) + (lapsed or 0),
        "throttled": throttled or 0,
        "renewals": renewals or 0,
        "hours": max(seconds, SHORT) * PRESS / 3600,
    }
