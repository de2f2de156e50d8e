"""The durable store: one SQLite file, write-ahead log, full synchronisation, group commit.

The one rule: when `save` returns, the record survives a power cut; writers that come together share one commit.
Only `synchronous=FULL` loses nothing when the power is cut (measured, as was the rest); sharing commits makes it cheap.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from presence_syncd.core.view import View
from presence_syncd.errors import PresenceSyncError
from presence_syncd.store.store import Record

MIGRATIONS = (
    """
    CREATE TABLE account (name TEXT PRIMARY KEY, view BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE memory (
        account TEXT NOT NULL, link TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (account, link, key)
    ) STRICT, WITHOUT ROWID;
    """,
)
"""Scripts that bring a file from each version to the next; `PRAGMA user_version` counts those that were run."""
SETTINGS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "busy_timeout=2000")
MANY = 8
"""Views in a commit after which the next one waits `GATHERING` seconds for more: each commit costs the loop half a
millisecond, however little it holds, and in a burst one follows the other."""
GATHERING = 0.005
_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(View)


class StoreError(PresenceSyncError):
    """The state file cannot be used. The text says why and what to do."""


@dataclass(slots=True, eq=False)
class _Batch:
    """What waits for the next commit; newer views of an account replace older ones."""

    views: dict[str, bytes] = field(default_factory=dict)
    facts: dict[tuple[str, str, str], str] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    done: bool = False

    def forget(self, account: str) -> None:
        """Let nothing of an account be left but what is said of it later."""
        self.forgotten.add(account)
        self.views.pop(account, None)
        for key in [key for key in self.facts if key[0] == account]:
            del self.facts[key]

    def put_over(self, older: _Batch) -> None:
        """Take in what an older batch holds, where this one says nothing newer."""
        gone = self.forgotten
        self.views = {**{name: view for name, view in older.views.items() if name not in gone}, **self.views}
        self.facts = {**{key: value for key, value in older.facts.items() if key[0] not in gone}, **self.facts}
        self.forgotten = gone | older.forgotten


class SqliteStore:
    """Keeps records in a SQLite file. Raises StoreError if another process has it, or it is not ours to read.

    A commit that fails (disk full) is told to `trouble` once, and the daemon goes on with what it has in memory.
    """

    def __init__(self, path: Path, trouble: Callable[[str], None] = lambda _said: None) -> None:
        self.path = path
        self.commits = 0
        self.failing = False
        self._trouble = trouble
        self._committed: anyio.Event | None = None  # while a commit is under way
        self._batch = _Batch()
        self._is_burst = False
        self._lock_file = _take_lock(path)
        try:
            self._db = _open(path)
        except StoreError:
            os.close(self._lock_file)
            raise

    async def load(self) -> dict[str, Record]:
        """Everything that is kept. A record that cannot be read is left out and told: its account starts afresh.

        Raises StoreError when the file itself is damaged.
        """
        try:
            return await anyio.to_thread.run_sync(self._read)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}; move it away to start afresh") from error

    async def save(self, account: str, view: View) -> None:
        """Keep an account's view, durably."""
        self._batch.views[account] = _ENCODER.encode(view)
        await self._flush(self._batch)

    async def remember(self, account: str, link: str, key: str, value: str) -> None:
        """Keep a small fact of a link, durably."""
        self._batch.facts[account, link, key] = value
        await self._flush(self._batch)

    async def forget(self, account: str) -> None:
        """Drop an account."""
        self._batch.forget(account)
        await self._flush(self._batch)

    async def aclose(self) -> None:
        """Write what waits, and let go of the file."""
        await self._flush(self._batch)
        self._db.close()
        os.close(self._lock_file)

    async def _flush(self, batch: _Batch) -> None:
        """Wait until the batch is committed; whoever comes first commits for all that came meanwhile.

        All who waited go on at once: handing a lock from one to the next would let thousands out one by one.
        """
        while not batch.done:
            if self._committed is None:
                await self._commit_next()
            else:
                await self._committed.wait()

    async def _commit_next(self) -> None:
        """Commit what waits. Who is cancelled meanwhile still finishes it, since others wait for it."""
        self._committed = committed = anyio.Event()
        batch = self._batch
        try:
            with anyio.CancelScope(shield=True):
                if self._is_burst:
                    await anyio.sleep(GATHERING)
                self._batch, self._is_burst = _Batch(), len(batch.views) >= MANY
                await anyio.to_thread.run_sync(self._commit, batch)
            self._tell("")
        except sqlite3.Error as error:
            self._batch.put_over(batch)
            self._tell(str(error))
        finally:
            batch.done, self._committed = True, None
            committed.set()

    def _tell(self, said: str) -> None:
        if self.failing != bool(said):
            self._trouble(said)
        self.failing = bool(said)

    def _commit(self, batch: _Batch) -> None:
        facts = [(*key, value) for key, value in batch.facts.items()]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for name in batch.forgotten:
                self._db.execute("DELETE FROM account WHERE name = ?", (name,))
                self._db.execute("DELETE FROM memory WHERE account = ?", (name,))
            self._db.executemany(
                "INSERT INTO account VALUES (?, ?) ON CONFLICT DO UPDATE SET view = excluded.view", batch.views.items()
            )
            self._db.executemany(
                "INSERT INTO memory VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", facts
            )
        self.commits += 1

    def _read(self) -> dict[str, Record]:
        memory: dict[str, dict[str, dict[str, str]]] = {}
        for account, link, key, value in self._db.execute("SELECT account, link, key, value FROM memory"):
            memory.setdefault(account, {}).setdefault(link, {})[key] = value
        records = {name: Record(memory=facts) for name, facts in memory.items()}
        for name, text in self._db.execute("SELECT name, view FROM account"):
            records[name] = Record(self._view(name, text), memory.get(name, {}))
        return records

    def _view(self, name: str, text: Any) -> View | None:
        try:
            return _DECODER.decode(text)
        except msgspec.MsgspecError:
            self._trouble(f"the record of {name} cannot be read; the account starts afresh")
            return None


def _take_lock(path: Path) -> int:
    """Make sure that no other process uses the file."""
    try:
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be used: {(error.strerror or '').lower()}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreError(f"{path}: another presence-syncd uses it; one process per state file") from error
    return handle


def _open(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)  # before the log is there: its files get the mode of this one
    except OSError as error:
        raise StoreError(f"{path}: cannot be used: {(error.strerror or '').lower()}") from error
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for setting in SETTINGS:
            db.execute(f"PRAGMA {setting}")
        _migrate(db, path)
    except sqlite3.Error as error:
        db.close()
        raise StoreError(f"{path}: {error}; move it away to start afresh") from error
    except StoreError:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the present version, one transaction per step. Raises StoreError for a newer one."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(f"{path}: was written by a newer version ({version}, this one knows {len(MIGRATIONS)})")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
