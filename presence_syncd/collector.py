"""When Python looks for garbage that holds on to itself, which stops the loop as long as it takes.

The one rule: it looks often at what is new, and at everything only when memory has grown.

Python itself waits until there are so many objects more than before. In a process that has settled in there are hardly
ever more: what is held open is replaced by its like. By then a look at "what is new" is one at most of what two
thousand accounts hold, and took 0.2 s (measured); four times a second it is 1 to 6 ms, for the same CPU time.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from pathlib import Path

import anyio

AT_ONCE = 5_000
"""New objects that are looked at without waiting for the next look; a burst makes as many in some milliseconds."""
NEVER = 1_000_000_000
"""Looks at what is new before Python looks at older objects by itself."""
EVERY = 0.25
"""Seconds between two looks at what is new."""
SETTLED = 300.0
"""Seconds after which the daemon has taken the memory it needs."""
WEIGHED = 60.0
"""Seconds between two looks at how much it takes."""
GROWN = 1.25
"""How many times as much memory it takes before everything is looked at: half a second with ten thousand accounts."""


def tune() -> None:
    """Set the interpreter so that only `keep_collecting` looks at what is older than a moment."""
    gc.set_threshold(AT_ONCE, NEVER, NEVER)


async def keep_collecting(weigh: Callable[[], int] | None = None) -> None:
    """Look for garbage until cancelled; `weigh` tells how many bytes of memory the process has."""
    weigh = weigh or resident
    gc.collect()
    gc.freeze()  # modules and settings stay
    usual, at = 0, anyio.current_time() + SETTLED
    while True:
        await anyio.sleep(EVERY)
        gc.collect(0)
        if (now := anyio.current_time()) >= at:
            usual, at = _looked_through(weigh, usual), now + WEIGHED


def _looked_through(weigh: Callable[[], int], usual: int) -> int:
    """Look at everything if there is much more memory than usual; returns what is usual from now on."""
    if usual and weigh() > GROWN * usual:
        gc.unfreeze()
        gc.collect()
        usual = 0
    return usual or weigh()


def resident() -> int:
    """Bytes of memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
