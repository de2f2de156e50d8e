"""Turns: so many begin at once, and the others stand in line, without a task.

The one rule: a turn that is given back goes to whoever stood in line longest, those who go before others first.
(Thousands who begin at once wait for each other's requests, and what held their calls stays in pieces: 10 KB each.)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class Turns:
    """At most `most` have a turn. Who takes one must give it back."""

    __slots__ = ("_free", "_lines")

    def __init__(self, most: int) -> None:
        self._free = most
        self._lines: tuple[OrderedDict[Callable[[], None], None], ...] = (OrderedDict(), OrderedDict())

    def take(self, call: Callable[[], None], *, vip: bool) -> bool:
        """Take a turn; if there is none, `call` is called once it has come, and it is taken. Whether it was there."""
        if self._free:
            self._free -= 1
            return True
        self._lines[not vip][call] = None
        return False

    def give_back(self) -> None:
        """Give a turn back, to the next in line."""
        for line in self._lines:
            if line:
                call, _ = line.popitem(last=False)  # a plain dict would look past all who went before
                return call()
        self._free += 1
        return None

    def leave(self, call: Callable[[], None]) -> None:
        """Stand in line no more."""
        for line in self._lines:
            line.pop(call, None)
