"""The daemon in virtual time: it starts, takes other configurations, obeys, and leaves, over real bytes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import anyio
import pytest

from presence_syncd import logs
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.graph.emulator import GraphEmulator
from presence_syncd.core.entry import Word
from presence_syncd.core.observe import VERSION_TRUSTED
from presence_syncd.core.presence import AVAILABLE, DND
from presence_syncd.daemon import Daemon
from presence_syncd.differences import Difference
from presence_syncd.engine.account import FAREWELL
from presence_syncd.errors import ConfigError
from presence_syncd.lately import KEPT
from presence_syncd.process import Orders
from presence_syncd.report import Report
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.sqlite import SqliteStore
from presence_syncd.store.store import Record
from tests.endtoend.office import SECRET, Office, account, guid, number, office, until
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time

# trio tells of generators inside httpx that nobody closes when a request is cancelled; asyncio closes them silently
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")

BUSY = ("Busy/Busy", "BUSY")


async def make_busy(here: Office, person: str = "alice") -> None:
    """The person turns busy in Symphony, and Teams shows it because of us."""
    here.say(person, "BUSY")
    await until(lambda: here.shows(person) == BUSY)
    await anyio.sleep(3)


def value(daemon: Daemon, name: str, **labels: str) -> float | None:
    return daemon.metrics.registry.get_sample_value(f"presence_syncd_{name}", labels)


# start and stop


async def test_a_change_arrives_within_a_sweep_and_a_write(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running():
        await anyio.sleep(5)
        here.say("alice", "BUSY")
        assert await until(lambda: here.shows("alice") == BUSY) < 1.5
        here.teams.choose(guid("bob"), "DoNotDisturb")
        assert await until(lambda: here.shows("bob")[1] == "BUSY") < 1.5
        assert here.shows("carol") == ("Available/Available", "AVAILABLE")


@pytest.mark.parametrize("away", [1.0, 30_000.0])
async def test_a_clean_restart_makes_no_word_of_what_lay_under_ours(tmp_path: Path, away: float) -> None:
    async with office(tmp_path) as here:
        async with here.running():
            await anyio.sleep(5)
            await make_busy(here)
        assert here.shows("alice") == ("Available/Available", "BUSY")
        before = len(here.symphony.writes)
        await anyio.sleep(away)
        async with here.running() as daemon:
            await until(lambda: here.shows("alice") == BUSY)
            await anyio.sleep(60)
            assert here.shows("alice") == BUSY
            assert len(here.symphony.writes) == before
            assert not value(daemon, "observations_total", service="teams", kind="own")
            assert not value(daemon, "lapsed_sessions_total", service="teams")


async def test_a_word_said_while_the_daemon_was_away_wins(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        async with here.running():
            await anyio.sleep(5)
            await make_busy(here)
        await anyio.sleep(60)
        here.teams.choose(guid("alice"), "BeRightBack")
        async with here.running():
            await until(lambda: here.shows("alice") == ("BeRightBack/BeRightBack", "BE_RIGHT_BACK"))


async def test_a_stop_signs_out_everywhere_within_its_bound(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        async with here.running():
            await anyio.sleep(5)
            await make_busy(here)
            here.teams.faults.add(Answer(hang=True, times=0, path="clearPresence|batch"))
            began = anyio.current_time()
        assert anyio.current_time() - began < FAREWELL + 1


class SlowStore(MemoryStore):
    """Takes its time to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False

    async def load(self) -> dict[str, Record]:
        await anyio.sleep(5)
        return await super().load()

    async def aclose(self) -> None:
        self.is_closed = True


async def test_a_stop_while_it_starts_closes_the_store(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.store = store = SlowStore()
        daemon = here.daemon()
        with anyio.move_on_after(1):
            await daemon.run()
        assert store.is_closed
        assert not daemon.tasks


async def test_orders_that_come_while_it_starts_wait_for_it(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.store = SlowStore()
        daemon = here.daemon()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await anyio.sleep(1)
            assert Report(daemon).readiness()["ready"] is False
            with here.changed() as document:
                del document["account"][0]
                document["services"]["teams"]["sweep"] = "2s"
            tasks.start_soon(daemon.reload, here.load())
            tasks.start_soon(daemon.pin, "bob", DND, 60.0, "exam")
            await anyio.sleep(20)
            assert sorted(daemon.tasks) == ["bob", "carol"]
            assert Report(daemon).readiness() == {"ready": True, "waiting": {}}
            assert here.shows("bob")[0] == "DoNotDisturb/DoNotDisturb"
            tasks.cancel_scope.cancel()


# reload


async def test_what_did_not_change_is_not_touched_by_a_reload(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        for person in ("alice", "bob", "carol"):
            await make_busy(here, person)
        wires = {name: list(host.wires) for name, host in here.network.hosts.items()}
        tasks, children = dict(daemon.tasks), dict(daemon.supervisor.children)
        lives = {name: child.life for name, child in children.items()}
        leases = {name: task.board.view.entries["teams"].publication for name, task in tasks.items()}
        wrote = here.written()
        with here.changed() as document:
            document["account"][1]["links"]["symphony"]["direction"] = "read"
            document["account"].reverse()
        done = await daemon.reload(here.load())
        assert done == Difference(changed=("bob",))
        await anyio.sleep(20)
        for name in ("alice", "carol"):
            assert daemon.tasks[name] is tasks[name]
            assert daemon.supervisor.children[name] is children[name]
            assert children[name].life is lives[name]
            assert daemon.tasks[name].board.view.entries["teams"].publication == leases[name]
        assert daemon.tasks["bob"] is not tasks["bob"]
        assert {name: list(host.wires) for name, host in here.network.hosts.items()} == wires
        assert here.written() == wrote  # bob is back in the same place: he neither signed out nor wrote again
        assert here.shows("bob") == BUSY


async def test_who_becomes_a_vip_by_a_reload_goes_on_as_one(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        for vip in (True, False):
            with here.changed() as document:
                document["account"][1]["vip"] = vip
            assert await daemon.reload(here.load()) == Difference()
            for name, task in daemon.tasks.items():
                assert {link.link.vip for link in task.links} == {vip and name == "bob"}


async def test_a_changed_link_is_left_and_the_others_are_not(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        await make_busy(here)
        here.teams.add_user("00000000-0000-0000-0000-00000000000f")
        here.teams.teams("00000000-0000-0000-0000-00000000000f", "Available")
        with here.changed() as document:
            document["account"][0]["links"]["teams"]["user"] = "00000000-0000-0000-0000-00000000000f"
        assert (await daemon.reload(here.load())).changed == ("alice",)
        assert here.shows("alice") == ("Available/Available", "BUSY")  # the old user's session is gone
        await until(lambda: here.teams.shown("00000000-0000-0000-0000-00000000000f") == ("Busy", "Busy"))


async def test_who_is_removed_signs_out_and_is_forgotten_and_who_is_added_starts(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        with here.changed() as document:
            document["account"].pop()
        async with here.running() as daemon:
            await anyio.sleep(5)
            await make_busy(here)
            here.say("carol", "BUSY")
            with here.changed() as document:
                document["account"][0] = account("carol")
            assert await daemon.reload(here.load()) == Difference(added=("carol",), removed=("alice",))
            assert here.shows("alice") == ("Available/Available", "BUSY")
            await until(lambda: "carol" in daemon.tasks and daemon.tasks["carol"].composed() is not None)
            assert isinstance(here.store, MemoryStore)
            assert [name for name, kept in here.store.records.items() if kept.view and kept.view.gone_at] == ["alice"]
            assert not daemon.lately.of("alice")
            here.say("alice", "BE_RIGHT_BACK")
            await anyio.sleep(30)
            assert here.shows("alice")[0] == "Available/Available"


async def remove_unheard(here: Office, daemon: Daemon) -> None:
    """Alice is busy in Symphony, and in Teams because of us; her account is taken out while Teams is in trouble."""
    await anyio.sleep(5)
    await make_busy(here)
    here.teams.faults.add(Answer(503, times=0, path="presence/|batch"))
    with here.changed() as document:
        document["account"].pop(0)
    await daemon.reload(here.load())
    here.teams.faults.clear()
    here.say("alice", "AVAILABLE")
    assert here.shows("alice") == ("Busy/Busy", "AVAILABLE")


async def come_back(here: Office, daemon: Daemon) -> None:
    """Her account is there again, and nobody takes what we had left in Teams for her word."""
    with here.changed() as document:
        document["account"].insert(0, account("alice"))
    await daemon.reload(here.load())
    await until(lambda: here.shows("alice") == ("Available/Available", "AVAILABLE"))
    word = daemon.tasks["alice"].board.view.entries["teams"].word
    assert word is not None
    assert (word.status, word.initial) == (AVAILABLE, True)  # what Teams showed when we started


async def test_who_comes_back_before_an_unheard_farewell_is_over_finds_no_word_of_ours(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await remove_unheard(here, daemon)
        await come_back(here, daemon)


async def test_who_comes_back_after_a_restart_finds_no_word_of_ours_either(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        async with here.running() as daemon:
            await remove_unheard(here, daemon)
        async with here.running() as daemon:
            await come_back(here, daemon)


@pytest.mark.parametrize("restarts", [False, True])
async def test_who_comes_back_within_a_day_has_said_what_they_had_said(tmp_path: Path, *, restarts: bool) -> None:
    async with office(tmp_path) as here:
        async with here.running() as daemon:
            await anyio.sleep(5)
            await make_busy(here)
            said = daemon.tasks["alice"].board.view.entries["symphony"].word
            with here.changed() as document:
                gone = document["account"].pop(0)
            await daemon.reload(here.load())
            await anyio.sleep(60)
            if not restarts:
                with here.changed() as document:
                    document["account"].insert(0, gone)
                await daemon.reload(here.load())
                await is_busy_again(here, daemon, said)
                return
        with here.changed() as document:
            document["account"].insert(0, gone)
        async with here.running() as daemon:
            await is_busy_again(here, daemon, said)


async def is_busy_again(here: Office, daemon: Daemon, said: Word | None) -> None:
    """Alice is shown in Teams what she had said in Symphony before, and it is no newer than it was."""
    await until(lambda: here.shows("alice") == ("Busy/Busy", "BUSY"))
    view = daemon.tasks["alice"].board.view
    assert view.entries["symphony"].word == said
    assert said is not None
    assert view.gone_at is None


async def test_a_changed_service_restarts_its_accounts_only_and_invents_no_word(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        with here.changed() as document:
            del document["account"][2]["links"]["teams"]
        async with here.running() as daemon:
            await anyio.sleep(5)
            await make_busy(here)
            tasks, before = dict(daemon.tasks), len(here.symphony.writes)
            with here.changed() as document:
                document["services"]["teams"]["sweep"] = "2s"
            done = await daemon.reload(here.load())
            assert done == Difference(changed=("alice", "bob"), services=("teams",))
            assert daemon.tasks["carol"] is tasks["carol"]
            await until(lambda: here.shows("alice") == BUSY)
            await anyio.sleep(60)
            assert here.shows("alice") == BUSY
            assert len(here.symphony.writes) == before
            assert daemon.drivers["teams"].service.traits.poll_every == 2.0


async def test_a_service_can_go_and_come_back(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        whole = here.document
        with here.changed() as document:
            del document["services"]["symphony"]
            for each in document["account"]:
                del each["links"]["symphony"]
        done = await daemon.reload(here.load())
        assert (len(done.changed), done.services) == (3, ("symphony",))
        assert daemon.drivers.keys() == daemon.feeds.keys() == {"teams"}
        here.document = whole
        assert len((await daemon.reload(here.load())).changed) == 3
        await anyio.sleep(5)
        await make_busy(here)


async def test_a_changed_policy_restarts_nobody_and_counts_at_once(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        tasks = dict(daemon.tasks)
        here.symphony.online(number("alice"), False)
        await anyio.sleep(30)
        assert here.shows("alice")[0] == "Available/Available"
        with here.changed() as document:
            document["policy"] |= {"compose": "busiest", "settle": "1s"}
        assert await daemon.reload(here.load()) == Difference()
        assert daemon.tasks == tasks
        assert {task.board.rules.compose for task in tasks.values()} == {"busiest"}
        assert {task.board.rules.settle for task in tasks.values()} == {1.0}


async def test_settings_of_the_process_are_told_to_need_a_restart(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        with here.changed() as document:
            document["daemon"] |= {"http": "127.0.0.1:9999", "log": {"level": "debug"}}
        assert (await daemon.reload(here.load())).ignored == ("daemon.http", "daemon.log")


async def test_a_refused_file_changes_nothing_and_is_counted(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        orders, tasks, config = Orders(daemon, here.path), dict(daemon.tasks), daemon.config
        good = here.path.read_text()
        here.path.write_text(good.replace("sweep", "sweeep", 1))
        with pytest.raises(ConfigError):
            await orders.reload()
        assert value(daemon, "config_last_reload_successful") == 0
        (tmp_path / "graph-secret").rename(tmp_path / "gone")
        here.path.write_text(good)
        with pytest.raises(ConfigError):
            await orders.reload()
        assert (daemon.tasks, daemon.config) == (tasks, config)
        (tmp_path / "gone").rename(tmp_path / "graph-secret")
        assert (await orders.reload())["changed"] == ()
        assert value(daemon, "config_last_reload_successful") == 1


async def test_reloads_that_come_together_are_taken_one_after_the_other(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        one = here.load()
        with here.changed() as document:
            document["services"]["teams"]["sweep"] = "2s"
        two = here.load()
        async with anyio.create_task_group() as tasks:
            for config in (two, one, two, one, two):
                tasks.start_soon(daemon.reload, config)
                await anyio.sleep(0.001)
        assert daemon.drivers["teams"].service.traits.poll_every == 2.0
        await make_busy(here)


async def test_an_order_that_comes_during_a_reload_waits_for_it(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        await make_busy(here)
        here.teams.faults.add(Answer(hang=True, times=0, path="clearPresence|batch"))
        with here.changed() as document:
            document["services"]["teams"]["sweep"] = "2s"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.reload, here.load())
            await anyio.sleep(0.5)
            assert "alice" not in daemon.tasks
            await daemon.pin("alice", DND, 120.0, "exam")
        here.teams.faults.clear()
        await until(lambda: here.shows("alice")[0] == "DoNotDisturb/DoNotDisturb")


async def test_who_is_removed_while_a_write_hangs_is_gone_soon(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.teams.faults.add(Answer(hang=True, times=0, path="presence/set|presence/clear|batch"))
        here.say("alice", "BUSY")
        await until(lambda: any(link.writing for link in daemon.tasks["alice"].links))
        with here.changed() as document:
            del document["account"][0]
        began = anyio.current_time()
        await daemon.reload(here.load())
        assert anyio.current_time() - began < FAREWELL + 1
        here.teams.faults.clear()
        await make_busy(here, "bob")
        assert here.shows("alice")[0] == "Available/Available"
        assert daemon.supervisor.children.keys() == {"bob", "carol"}


# secrets


async def test_a_rotated_secret_needs_no_restart(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.teams.login.client_secret = "canary-client-secret-2"
        here.teams.login.grants.clear()
        await until(lambda: value_parked(daemon) == 1 or daemon.feeds["teams"].trouble.is_parked)
        asked = here.teams.faults.count("POST", "oauth2")
        await anyio.sleep(100)
        assert here.teams.faults.count("POST", "oauth2") == asked  # what was refused is not sent again
        (tmp_path / "graph-secret").write_text("canary-client-secret-2\n")
        here.say("alice", "BUSY")
        took = await until(lambda: here.shows("alice") == BUSY, 6 * 3600.0)
        print(f"a rotated secret was found after {took:.0f} s")
        assert daemon.tasks["alice"].board.view.entries["teams"].publication is not None


def value_parked(daemon: Daemon) -> float | None:
    Report(daemon).exposition()
    return value(daemon, "parked_accounts", reason="AuthRejected")


async def test_a_parked_account_tries_again_after_a_reload(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        here.teams.login.client_secret = "canary-client-secret-2"
        here.teams.login.grants.clear()
        here.say("alice", "BUSY")
        await until(lambda: value_parked(daemon) == 1)
        assert Report(daemon).accounts()[0]["state"] == "AuthRejected"
        await anyio.sleep(60)
        (tmp_path / "graph-secret").write_text("canary-client-secret-2")
        assert await daemon.reload(here.load()) == Difference()
        took = await until(lambda: here.shows("alice") == BUSY)
        assert took < 10
        await until(lambda: value_parked(daemon) == 0)


# orders


async def test_a_pin_holds_over_a_restart_and_ends_by_itself(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.store = SqliteStore(tmp_path / "state.db")
        async with here.running() as daemon:
            await anyio.sleep(5)
            await daemon.pin("alice", DND, 120.0, "exam")
            await daemon.pause("bob", paused=True)
            await until(lambda: here.shows("alice") == ("DoNotDisturb/DoNotDisturb", "BUSY"))
        here.store = SqliteStore(tmp_path / "state.db")
        async with here.running() as daemon:
            await until(lambda: here.shows("alice") == ("DoNotDisturb/DoNotDisturb", "BUSY"))
            here.say("bob", "BUSY")
            await anyio.sleep(60)
            assert here.shows("bob")[0] == "Available/Available"
            await daemon.pause("bob", paused=False)
            await until(lambda: here.shows("bob") == BUSY)
            await anyio.sleep(60)
            await until(lambda: here.shows("alice")[0] == "Available/Available")
            await daemon.pin("alice", DND, 120.0, "exam")
            await until(lambda: here.shows("alice")[0] == "DoNotDisturb/DoNotDisturb")
            await daemon.unpin("alice")
            await until(lambda: here.shows("alice")[0] == "Available/Available")
            with pytest.raises(KeyError):
                await daemon.unpin("nobody")


async def test_a_killed_account_comes_back_alone(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        await make_busy(here)
        wrote, bob = here.written(), daemon.supervisor.children["bob"].life
        daemon.kill("alice")
        await anyio.sleep(0.1)
        here.say("alice", "AVAILABLE")
        await until(lambda: here.shows("alice") == ("Available/Available", "AVAILABLE"))
        assert daemon.supervisor.children["bob"].life is bob
        assert daemon.supervisor.children["alice"].restarts == 1
        assert [who for who, _ in here.written()[len(wrote) :]] == [guid("alice")] * (len(here.written()) - len(wrote))
        with pytest.raises(KeyError):
            daemon.kill("nobody")


async def test_the_latest_events_of_each_account_are_kept(tmp_path: Path) -> None:
    async with office(tmp_path) as here, here.running() as daemon:
        await anyio.sleep(5)
        for _ in range(KEPT):
            await daemon.pause("alice", paused=True)
            await daemon.pause("alice", paused=False)
        assert len(daemon.lately.of("alice")) == KEPT
        assert [event["event"] for event in daemon.lately.of("alice")][-2:] == ["paused", "resumed"]


# services in trouble


async def test_a_service_that_counts_anew_is_believed_after_a_while(tmp_path: Path) -> None:
    """The emulated Teams comes back from nothing: its versions are lower than the last ones that were seen."""
    async with office(tmp_path) as here, here.running():
        await anyio.sleep(5)
        for pair in ("Busy", "BeRightBack", "DoNotDisturb", "Available", "Busy"):
            here.teams.choose(guid("alice"), pair)
            await anyio.sleep(3)
        assert here.shows("alice") == BUSY
        old, here.teams = here.teams, GraphEmulator(here.teams.clock, client_secret=SECRET)
        for person in ("alice", "bob", "carol"):
            here.teams.add_user(guid(person))
            here.teams.teams(guid(person), "Available", "Available")
        host = here.network.hosts["teams.test"]
        host.cut()
        host.refuses = True
        await anyio.sleep(20)
        host.app, host.refuses = here.teams.app, False
        del old
        here.teams.choose(guid("alice"), "BeRightBack")
        took = await until(lambda: here.shows("alice")[1] == "BE_RIGHT_BACK", 200)
        print(f"believed after {took:.1f} s")
        assert took < VERSION_TRUSTED + 10
        here.say("bob", "BUSY")
        await until(lambda: here.shows("bob") == BUSY)


async def test_a_storm_of_reloads_crashes_and_changes_ends_with_the_last_words(tmp_path: Path) -> None:
    rng = random.Random(11)
    said: list[dict[str, Any]] = []
    async with office(tmp_path, settle="0s") as here:
        with logs.tapped(said.append):
            async with here.running() as daemon:
                await anyio.sleep(5)
                first = here.load()
                with here.changed() as document:
                    document["services"]["symphony"]["sweep"] = "700ms"
                    document["account"].pop()
                configs = [first, here.load()]
                for step in range(30):
                    here.say(rng.choice(("alice", "bob")), rng.choice(("BUSY", "AVAILABLE", "BE_RIGHT_BACK")))
                    await anyio.sleep(rng.uniform(8, 16))
                    if step % 3 == 0:
                        await daemon.reload(rng.choice(configs))
                    elif step % 3 == 1:
                        daemon.kill(rng.choice(("alice", "bob")))
                await anyio.sleep(120)
                own = [e for e in said if e["event"] == "observed" and e.get("service") == "teams"]
                assert sorted(e["account"] for e in own if e["account"] != "carol") == [
                    "alice",
                    "bob",
                ]  # at the very start
                shown = {"BUSY": "Busy/Busy", "AVAILABLE": "Available/Available"}
                for person in ("alice", "bob"):
                    teams, symphony = here.shows(person)
                    assert teams == shown.get(symphony, "BeRightBack/BeRightBack")
                assert not here.symphony.writes
