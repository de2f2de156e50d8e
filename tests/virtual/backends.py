"""Both backends in virtual time: as a fixture for tests, and as a function for the rest.

The one rule: a test module that wants virtual time imports `anyio_backend` from here; all its tests then run twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import anyio
import pytest

from tests.virtual.loop import VirtualTimeLoop, inline_threads, make_cancellation_order_stable, virtual_clock

T = TypeVar("T")
BACKENDS = ("asyncio", "trio")

make_cancellation_order_stable()


def options(backend: str, seed: int = 0, loop: type[VirtualTimeLoop] = VirtualTimeLoop) -> dict[str, Any]:
    """The backend's options for virtual time; `loop` is that of asyncio."""
    return {"loop_factory": loop} if backend == "asyncio" else {"clock": virtual_clock(seed)}


def run(
    main: Callable[[], Awaitable[T]],
    backend: str = "asyncio",
    seed: int = 0,
    loop: type[VirtualTimeLoop] = VirtualTimeLoop,
) -> T:
    """Run `main` in virtual time, from second 0. `seed` is that of trio's scheduler. Raises Deadlock."""
    with inline_threads():
        return anyio.run(main, backend=backend, backend_options=options(backend, seed, loop))


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run every asynchronous test of the module on asyncio and on trio, in virtual time."""
    with inline_threads():
        yield request.param, options(request.param)
