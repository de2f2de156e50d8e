"""What the SQLite store acknowledged is there after anything but a broken disk, and trouble is told once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presence_syncd.core.entry import Entry, Observation, Publication, Word
from presence_syncd.core.presence import BUSY, Status
from presence_syncd.core.view import Direction, Pin, Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.engine.board import Board
from presence_syncd.store import sqlite
from presence_syncd.store.sqlite import MIGRATIONS, SqliteStore, StoreError, _Batch
from presence_syncd.store.store import Record

ROUNDS = int(os.environ.get("PRESENCE_SYNCD_ROUNDS", "20"))
"""Rounds of killing; more of them on demand."""


def view_of(started_at: float, *, paused: bool = False) -> View:
    return View({"teams": Entry(shown=BUSY, word=Word(BUSY, started_at))}, started_at, paused=paused)


@asynccontextmanager
async def opened(path: Path, told: list[str] | None = None) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, (told if told is not None else []).append)
    try:
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            await store.aclose()


async def load(path: Path, told: list[str] | None = None) -> dict[str, Record]:
    async with opened(path, told) as store:
        return await store.load()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
seconds = st.floats(allow_nan=False, allow_infinity=False)
order = st.none() | st.integers(0, 2**70) | text
views: st.SearchStrategy[View] = st.builds(
    View,
    st.dictionaries(
        text,
        st.builds(
            Entry,
            shown=st.none() | st.from_type(Status),
            order=order,
            mine=st.booleans(),
            beneath=st.none() | st.from_type(Status),
            live_at=st.none() | seconds,
            word=st.none()
            | st.builds(Word, st.from_type(Status), seconds, st.booleans(), st.none() | st.from_type(Status)),
            publication=st.none()
            | st.builds(
                Publication,
                text,
                st.from_type(Status),
                seconds,
                seconds,
                before=st.frozensets(st.from_type(Status), max_size=3),
                note=st.none() | text,
                accepted_at=st.none() | seconds,
                returned=st.none() | st.from_type(Status),
                order=order,
                expires_at=st.none() | seconds,
                attempt=st.integers(0, 9),
                failed=st.booleans(),
                taken_back=st.booleans(),
            ),
            earlier=st.lists(st.builds(Publication, text, st.from_type(Status), seconds, seconds), max_size=2).map(
                tuple
            ),
            writes=st.lists(seconds, max_size=3).map(tuple),
            note=st.none() | text,
        ),
        max_size=3,
    ),
    seconds,
    st.none() | st.builds(Pin, st.from_type(Status), seconds, text, text),
    st.booleans(),
    seconds,
)


@given(view=views, name=text, facts=st.dictionaries(text, st.dictionaries(text, text, min_size=1), max_size=2))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_view_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, view: View, name: str, facts: dict[str, dict[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "state.db"

    async def main() -> dict[str, Record]:
        async with opened(path) as store:
            await store.save(name, view)
            for link, keys in facts.items():
                for key, value in keys.items():
                    await store.remember(name, link, key, value)
        return await load(path)

    assert anyio.run(main) == {name: Record(view, facts)}


async def test_a_note_with_half_a_character_is_kept(tmp_path: Path) -> None:
    words = Vocabulary(reads={}, words={}, echoes={})
    board = Board(View({"teams": Entry()}), Rules())
    board.observe("teams", Observation(BUSY, "Busy\ud83d", 1.0, 2.0, note="lunch \ud83d"), words, Direction.BOTH)
    async with opened(tmp_path / "s") as store:
        await store.save("alice", board.view)
        kept = (await store.load())["alice"].view
    assert kept == board.view
    assert kept is not None
    assert kept.entries["teams"].note == "lunch ?"


async def test_many_savers_share_few_commits(tmp_path: Path) -> None:
    async with opened(tmp_path / "s") as store:
        async with anyio.create_task_group() as tasks:
            for number in range(500):
                tasks.start_soon(store.save, f"a{number}", view_of(float(number)))
        print(f"500 savers, {store.commits} commits")
        assert store.commits <= 5
        assert len(await store.load()) == 500


async def save_at_once(store: SqliteStore, count: int) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(store.save, f"a{number}", view_of(0.0))


async def test_in_a_burst_who_comes_a_little_later_shares_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "GATHERING", 0.3)
    async with opened(tmp_path / "s") as store:
        await save_at_once(store, sqlite.MANY + 1)
        before = store.commits
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(store.save, f"b{number}", view_of(0.0))
                for _ in range(5):
                    await anyio.lowlevel.checkpoint()
        assert store.commits == before + 1
        assert len(await store.load()) == sqlite.MANY + 6


async def test_without_a_burst_nobody_waits_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "GATHERING", 3600.0)
    async with opened(tmp_path / "s") as store:
        with anyio.fail_after(30):
            for _ in range(3):
                await save_at_once(store, sqlite.MANY)  # of whom the first has a commit of their own
        assert store.commits == 6
        assert len(await store.load()) == sqlite.MANY


async def test_the_newest_view_wins(tmp_path: Path) -> None:
    async with opened(tmp_path / "s") as store, anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(store.save, "alice", view_of(float(number)))
            await anyio.lowlevel.checkpoint()  # trio starts tasks in any order
    assert (await load(tmp_path / "s"))["alice"].view == view_of(49.0)


async def test_who_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "s") as store:
        await store.save("alice", view_of(1.0))
        await store.remember("alice", "teams", "k", "v")
        await store.forget("alice")
        assert await store.load() == {}
        async with anyio.create_task_group() as tasks:
            under_way = store._committed = anyio.Event()  # so all are in one batch, in this order
            tasks.start_soon(store.remember, "bob", "teams", "k", "v")
            await anyio.sleep(0.01)
            tasks.start_soon(store.save, "bob", view_of(1.0))
            await anyio.sleep(0.01)
            tasks.start_soon(store.forget, "bob")
            await anyio.sleep(0.01)
            store._committed = None
            under_way.set()
        await store.save("bob", view_of(2.0))
        assert await store.load() == {"bob": Record(view_of(2.0))}


async def test_all_who_shared_a_commit_go_on_at_once(tmp_path: Path) -> None:
    gone_on = 0

    async def save(number: int) -> None:
        nonlocal gone_on
        await store.save(f"a{number}", view_of(0.0))
        gone_on += 1

    async with opened(tmp_path / "s") as store, anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(save, number)
        while gone_on <= 1:  # noqa: ASYNC110  # the first commit took along the first alone
            await anyio.sleep(0.001)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert gone_on > 900
    assert store.commits <= 3


async def test_one_process_per_file(tmp_path: Path) -> None:
    async with opened(tmp_path / "s"):
        with pytest.raises(StoreError, match="another presence-syncd uses it"):
            SqliteStore(tmp_path / "s")
    await load(tmp_path / "s")


async def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path / "s") as store:
            await store.save("alice", view_of(1.0))
            modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("s", "s-wal", "s-shm", "s.lock"), 0o600)


async def test_a_newer_version_is_refused_and_the_lock_given_back(tmp_path: Path) -> None:
    path = tmp_path / "s"
    await load(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for _ in range(2):
        with pytest.raises(StoreError, match="newer version"):
            SqliteStore(path)


async def test_an_older_version_is_brought_forward(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(sqlite3.connect(path)) as db:  # the file as it is before the first step
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
    assert await load(path) == {}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database; move it away"):
        SqliteStore(tmp_path / "s")
    with pytest.raises(StoreError, match="cannot be used: no such file"):
        SqliteStore(tmp_path / "no" / "s")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="cannot be used: is a directory"):
        SqliteStore(tmp_path / "folder")


async def test_a_damaged_file_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with opened(path) as store, anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(store.save, f"a{number}", view_of(float(number)))
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    async with opened(path) as store:
        with pytest.raises(StoreError, match="move it away to start afresh"):
            await store.load()


async def test_a_broken_record_starts_afresh_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with opened(path) as store:
        await store.save("alice", view_of(1.0))
        await store.remember("alice", "teams", "k", "v")
        await store.save("bob", view_of(2.0))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE account SET view = ? WHERE name = 'alice'", (b'{"entries": 5}',))
    told: list[str] = []
    records = await load(path, told)
    assert records == {"alice": Record(None, {"teams": {"k": "v"}}), "bob": Record(view_of(2.0))}
    assert told == ["the record of alice cannot be read; the account starts afresh"]


async def test_a_full_disk_is_told_once_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "s"
    async with opened(path, told) as store:
        await store.save("early", view_of(0.0))
        await store.remember("early", "teams", "k", "old")
        limit = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {limit}")
        large = View({f"domain{n}": Entry(raw="x" * 4000) for n in range(10)})
        for number in range(3):
            await store.save(f"a{number}", large)
        await store.forget("early")
        await store.save("a0", view_of(7.0))
        assert store.failing
        assert told == ["database or disk is full"]
        store._db.execute("PRAGMA max_page_count = 100000")
        await store.remember("late", "teams", "k", "v")
        assert told == ["database or disk is full", ""]
    records = await load(path)
    assert records.keys() == {"a0", "a1", "a2", "late"}
    assert records["a0"].view == view_of(7.0)
    assert records["a1"].view == large


def test_what_could_not_be_written_gives_way_to_what_was_said_since() -> None:
    older = _Batch({"a": b"old", "b": b"old"}, {("a", "t", "k"): "old", ("b", "t", "k"): "old"}, {"c"})
    newer = _Batch({"b": b"new"}, {("b", "t", "k"): "new"}, {"a"})
    newer.put_over(older)
    assert newer.views == {"b": b"new"}
    assert newer.facts == {("b", "t", "k"): "new"}
    assert newer.forgotten == {"a", "c"}


async def test_who_is_cancelled_while_others_commit_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with opened(path) as store:
        for number in range(40):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.save, f"a{number}", view_of(float(number)))
                tasks.start_soon(store.remember, f"a{number}", "teams", "k", str(number))
                for _ in range(number % 5):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
    records = await load(path)
    lost = [n for n in range(40) if n % 5 and (f"a{n}" not in records or records[f"a{n}"].view != view_of(float(n)))]
    assert lost == []


CHILD = """
import random, sys, anyio
from pathlib import Path
from presence_syncd.core.view import View
from presence_syncd.store import sqlite
from presence_syncd.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    first = int(sys.argv[2])

    async def save(worker):
        number = first
        while True:
            number += 1
            await store.save(f"a{worker}", View(started_at=float(number)))
            await store.remember(f"a{worker}", "teams", "n", str(number))
            sys.stdout.write(f"{worker} {number}\\n")
            sys.stdout.flush()

    async with anyio.create_task_group() as tasks:
        for worker in range(8):
            tasks.start_soon(save, worker)

anyio.run(main)
"""


def test_kill_minus_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path, rng = tmp_path / "s", random.Random(5)
    acknowledged: dict[str, int] = {}
    for number in range(ROUNDS):
        first = number * 1_000_000
        command = [sys.executable, "-c", CHILD, str(path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(rng.randint(1, 200)):
                worker, said = child.stdout.readline().split()
                acknowledged[worker] = int(said)
            os.kill(child.pid, signal.SIGKILL)
            for line in child.stdout.read().splitlines():
                worker, said = line.split()
                acknowledged[worker] = int(said)
        records = anyio.run(load, path)
        for worker, last in acknowledged.items():
            record = records[f"a{worker}"]
            assert record.view is not None
            assert record.view.started_at >= last
            assert int(record.memory["teams"]["n"]) >= last
    print(f"{ROUNDS} rounds, nothing acknowledged was lost")
