"""A store that lasts as long as the process: for tests, the simulation and the demo."""

from __future__ import annotations

from dataclasses import replace

from presence_syncd.core.view import View
from presence_syncd.store.store import Record


class MemoryStore:
    """Keeps records in a dictionary."""

    failing = False

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}

    async def load(self) -> dict[str, Record]:
        """Everything that is kept."""
        return dict(self.records)

    async def save(self, account: str, view: View) -> None:
        """Keep an account's view."""
        self.records[account] = replace(self.records.get(account, Record()), view=view)

    async def remember(self, account: str, link: str, key: str, value: str) -> None:
        """Keep a small fact of a link."""
        record = self.records.get(account, Record())
        memory = {**record.memory, link: {**record.memory.get(link, {}), key: value}}
        self.records[account] = replace(record, memory=memory)

    async def forget(self, account: str) -> None:
        """Drop an account."""
        self.records.pop(account, None)

    async def aclose(self) -> None:
        """Nothing is held."""
