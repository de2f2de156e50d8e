"""The daemon: runs a configuration, takes another one while it runs, and does what an operator asks.

The one rule: everything that runs is a child of a supervisor here, so that a fault has one place to end.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from presence_syncd import __version__, logs
from presence_syncd.assembly import Assembly, Carriers, over_network, rules
from presence_syncd.config import AccountSettings, Config
from presence_syncd.core.change import of_pin
from presence_syncd.core.presence import Status
from presence_syncd.core.publication import leave
from presence_syncd.core.values import replace
from presence_syncd.core.view import Pin, View
from presence_syncd.differences import Difference, by_name, compare, staying
from presence_syncd.engine.account import Account
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.feed import Feed
from presence_syncd.engine.supervisor import Supervisor
from presence_syncd.lately import Lately
from presence_syncd.left_behind import LeftBehind
from presence_syncd.metrics import Metrics
from presence_syncd.store.memory import MemoryStore
from presence_syncd.store.store import Record, Store

LAG_EVERY = 1.0
"""Seconds between two looks at how late the loop is."""
STOP = 10.0
"""Seconds the daemon has to close what it holds, once everybody is gone."""
FEED_PARKED = 60.0
"""Seconds a feed that breaks too often is left alone; everybody in the service waits for it."""
SLICE = 250
"""Accounts a reload looks at before others get their turn."""


class Daemon:
    """Runs a configuration. `carriers` moves the bytes; `store` keeps what must survive; `rng` makes the jitter."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store | None = None,
        carriers: Carriers = over_network,
        rng: random.Random | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.config = config
        self.store: Store = store or MemoryStore()
        self.metrics = Metrics()
        self.clock = Clock(wall) if wall else Clock()
        self.rng = rng or random.Random()
        self.log = logs.get()
        self.drivers: dict[str, Driver] = {}
        self.feeds: dict[str, Feed] = {}
        self.tasks: dict[str, Account] = {}
        self.generation = 0  # higher whenever there are other tasks
        self.lately = Lately(self.clock)
        self.supervisor = Supervisor(self.clock, self.rng, self.metrics, self.log)
        self.feeds_supervisor = Supervisor(self.clock, self.rng, self.metrics, self.log, "feed", FEED_PARKED)
        self.left_behind = LeftBehind(self.store, self.clock)
        self.progress = self.clock.now()
        self._carriers = carriers
        self._assembly = self._assemble(config)
        self._changing = anyio.Lock()  # held by start and reload, when accounts come and go
        self._infrastructure: TaskGroup | None = None
        self._accounts: TaskGroup | None = None
        self.metrics.build.labels(__version__).set(1)
        self._took_configuration()

    def _assemble(self, config: Config) -> Assembly:
        return Assembly(
            config,
            store=self.store,
            carriers=self._carriers,
            clock=self.clock,
            rng=self.rng,
            metrics=self.metrics,
        )

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; then every account says farewell within a bound."""
        try:
            with logs.tapped(self.lately.remember):
                async with anyio.create_task_group() as infrastructure, anyio.create_task_group() as accounts:
                    async with self._changing:
                        await self._start(infrastructure, accounts)
                    started()
                    await anyio.sleep_forever()
        finally:
            with anyio.move_on_after(STOP, shield=True):
                await self._close()
            self.log.info("stopped")

    async def _start(self, infrastructure: TaskGroup, accounts: TaskGroup) -> None:
        records = await self.store.load()
        self.log.info("starting", accounts=len(self.config.accounts), services=len(self.config.services))
        self._infrastructure, self._accounts = infrastructure, accounts
        infrastructure.start_soon(self._watch_lag)
        infrastructure.start_soon(self.clock.ring_alarms)
        for name in self.config.services:
            self._add_service(name)
        self.left_behind.recall(records, {account.name for account in self.config.accounts})
        infrastructure.start_soon(self.left_behind.run)
        for settings in self.config.accounts:
            self._add_account(settings, records.get(settings.name, Record()))

    @property
    def has_started(self) -> bool:
        """Whether every account has a task."""
        return self._accounts is not None

    async def _close(self) -> None:
        try:
            for driver in self.drivers.values():
                await driver.transport.aclose()
        finally:
            await self.store.aclose()

    def _add_service(self, name: str) -> None:
        driver = self.drivers[name] = self._assembly.driver(name)
        self.metrics.expect(name)
        if driver.service.traits.sweep_size and self._infrastructure is not None:
            feed = self.feeds[name] = Feed(driver, self.clock, self.rng, logs.get(service=name))
            self.feeds_supervisor.start(self._infrastructure, name, feed.run, _without_farewell, lambda: name)

    async def _remove_service(self, name: str) -> None:
        if self.feeds.pop(name, None) is not None:
            await self.feeds_supervisor.stop(name)
        await self.drivers.pop(name).transport.aclose()

    def _add_account(self, settings: AccountSettings, record: Record) -> None:
        account = self._assembly.account(settings, record, self.drivers)
        self.tasks[settings.name] = account
        self.generation += 1
        if self._accounts is not None:
            live, leave_for_good = partial(self._live, account), partial(self._leave, account)
            self.supervisor.start(self._accounts, settings.name, live, leave_for_good, lambda: account.broke_in)

    async def _live(self, account: Account) -> None:
        """One life of an account: its links are heard by the feeds as long as it lasts."""
        swept = [(self.feeds[link.service], link) for link in account.links if link.service in self.feeds]
        for feed, link in swept:
            feed.add(link)
        try:
            await account.run()
        finally:
            for feed, link in swept:
                feed.remove(link)
            for link in account.links:
                link.writing = False

    async def _leave(self, account: Account) -> None:
        """Sign an account out; that its leases end with this is kept first, so that no later reading is misjudged."""
        for link in account.links:
            if link.leased and link.service not in account.staying:
                account.board.view = leave(account.board.view, link.domain, self.clock.now())
        await self.store.save(account.name, account.board.view)
        await account.leave()

    async def _remove_account(self, name: str, staying: frozenset[str] = frozenset()) -> Account:
        """Stop an account; it signs out of its services but those in `staying`. Returns it as it was left."""
        account = self.tasks.pop(name)
        self.generation += 1
        account.staying = staying
        await self.supervisor.stop(name)
        return account

    async def _remove_for_good(self, name: str) -> None:
        """Stop an account that is not configured any more; what is known of it is kept for a while."""
        account = await self._remove_account(name)
        self.lately.forget(name)
        await self.left_behind.put(name, _record(account))

    async def reload(self, config: Config) -> Difference:
        """Take another configuration, touching only what differs in it; returns what that was."""
        async with self._changing:
            old, self.config = self.config, config
            self._assembly = self._assemble(config)
            found = compare(old, config)
            await self._replace(old, found)
            self._try_refused_again()
            await self._freshen_all(frozenset(found.changed))
            self._took_configuration()
            self.log.info("reloaded", **{what: len(getattr(found, what)) for what in ("added", "removed", "changed")})
            return found

    async def _replace(self, old: Config, found: Difference) -> None:
        """Stop what is gone or differs, exchange the services, start what is new or differs."""
        before, after = by_name(old), by_name(self.config)
        records: dict[str, Record] = {}
        async with anyio.create_task_group() as tasks:
            for name in found.removed:
                tasks.start_soon(self._remove_for_good, name)
            for name in found.changed:
                staying_in = staying(before[name], after[name], found.services)
                tasks.start_soon(self._take_record, records, name, staying_in)
        for name in found.services:
            await self._remove_service(name)
        for name in [name for name in self.config.services if name not in self.drivers]:
            self._add_service(name)
        for name in (*found.changed, *found.added):
            self._add_account(after[name], records.get(name) or self.left_behind.take(name))

    async def _take_record(self, records: dict[str, Record], name: str, staying: frozenset[str]) -> None:
        records[name] = _record(await self._remove_account(name, staying))

    def _try_refused_again(self) -> None:
        """Open what refused credentials have closed: a secret may be new."""
        for driver in self.drivers.values():
            driver.tokens.reopen()
        for feed in self.feeds.values():
            if feed.trouble.is_parked:
                feed.trouble.try_now()

    async def _freshen_all(self, anew: frozenset[str]) -> None:
        """Freshen the accounts that do not begin `anew`, in slices, so that nobody's refresh waits for it."""
        made = cache(partial(rules, self.config))  # once for all who share a policy
        for number, settings in enumerate(self.config.accounts):
            if settings.name not in anew and settings.name in self.tasks:
                self.tasks[settings.name].freshen(made(settings.policy), vip=settings.vip)
            if number % SLICE == SLICE - 1:
                await anyio.lowlevel.checkpoint()

    def _took_configuration(self) -> None:
        self.metrics.reload_ok.set(1)
        self.metrics.reload_at.set(self.clock.wall())

    def refused_configuration(self) -> None:
        """A reload was refused: what runs goes on."""
        self.metrics.reload_ok.set(0)
        self.log.error("reload refused")

    async def pin(self, name: str, status: Status, seconds: float, reason: str, by: str = "") -> None:
        """Show a status whatever the services say, for a while; `by` is who ordered it.

        Raises KeyError for an unknown account, as do the orders below.
        """
        pin = Pin(status, self.clock.now() + seconds, reason, by)
        facts = {"status": str(status), "seconds": round(seconds), "reason": reason, "change": of_pin(name, pin)}
        await self._change(name, lambda view: replace(view, pin=pin), "pinned", by, **facts)

    async def unpin(self, name: str, by: str = "") -> None:
        """Let the services speak again."""
        await self._change(name, lambda view: replace(view, pin=None), "unpinned", by)

    async def pause(self, name: str, *, paused: bool, by: str = "") -> None:
        """Stop, or go on, writing for an account."""
        what = "paused" if paused else "resumed"
        await self._change(name, lambda view: replace(view, paused=paused), what, by)

    async def _change(self, name: str, order: Callable[[View], View], what: str, by: str, **facts: Any) -> None:
        async with self._changing:
            account = self.tasks[name]
            account.board.view = order(account.board.view)
            await self.store.save(name, account.board.view)
            account.board.ring()
            logs.get(account=name).info(what, by=by or None, **facts)

    def kill(self, name: str, by: str = "") -> None:
        """End an account's task as if it had crashed; it is restarted, and tries at once what it would wait to try.

        Raises KeyError for an unknown account.
        """
        self.supervisor.kill(name)
        logs.get(account=name).info("restart ordered", by=by or None)
        for link in self.tasks[name].links:
            link.driver.tokens.reopen()
            link.try_now()

    async def _watch_lag(self) -> None:
        """Measure how late the loop wakes us, and note that it does."""
        while True:
            due = anyio.current_time() + LAG_EVERY
            await anyio.sleep(LAG_EVERY)
            self.metrics.loop_lag.observe(max(0.0, anyio.current_time() - due))
            self.progress = self.clock.now()


def _record(account: Account) -> Record:
    """What is known of an account."""
    return Record(account.board.view, {link.service: link.link.memory for link in account.links})


async def _without_farewell() -> None:
    """A feed has nobody to say goodbye to."""
