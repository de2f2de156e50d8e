"""The collector's own task, in virtual time: what it looks at, and when."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from presence_syncd.collector import EVERY, GROWN, SETTLED, WEIGHED, keep_collecting, resident, tune
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture

pytestmark = pytest.mark.anyio
ALL = 2
"""The generation whose collection is one of everything."""


class Knot:
    """Holds on to itself: nothing but the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """The generations that are looked at, by anybody, while a test runs; afterwards all is as it was."""
    usual, found = gc.get_threshold(), list[int]()

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    tune()
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*usual)
    gc.unfreeze()


async def collecting(seconds: float, weigh: Callable[[], int] | None = None) -> None:
    with anyio.move_on_after(seconds):
        await keep_collecting(weigh)


async def test_new_garbage_is_gone_soon(looks: list[int]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_collecting)
        await anyio.sleep(EVERY / 2)
        looks.clear()
        knot = weakref.ref(Knot())
        assert knot() is not None
        await anyio.sleep(EVERY)
        assert knot() is None
        assert looks == [0]
        tasks.cancel_scope.cancel()


async def test_what_is_older_is_left_alone_however_much_is_new(looks: list[int]) -> None:
    await collecting(1)
    looks.clear()
    kept = [[number] for number in range(200_000)]
    assert set(looks) == {0}
    assert len(looks) >= 30
    await collecting(SETTLED - 1, lambda: 1)
    assert len(kept) == 200_000
    assert looks.count(ALL) == 1  # the one it begins with


@pytest.mark.parametrize(("grown", "looked"), [(GROWN * 0.99, 0), (GROWN * 1.01, 1)])
async def test_everything_is_looked_at_once_memory_has_grown(looks: list[int], grown: float, looked: int) -> None:
    weighed: list[int] = []

    def weigh() -> int:
        weighed.append(1000 if not weighed else int(1000 * grown))
        return weighed[-1]

    old: list[Any] = [Knot()]
    knot = weakref.ref(old[0])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_collecting, weigh)
        await anyio.sleep(SETTLED)
        looks.clear()
        old.clear()
        await anyio.sleep(WEIGHED * 5)
        assert looks.count(ALL) == looked  # and then that is what is usual
        assert (knot() is None) is bool(looked)
        tasks.cancel_scope.cancel()


def test_memory_is_weighed_in_bytes() -> None:
    before = resident()
    more = bytearray(64 * 1024 * 1024)
    for page in range(0, len(more), 4096):
        more[page] = 1
    assert 50_000_000 < resident() - before < 100_000_000
