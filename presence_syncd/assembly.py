"""Assembly: turns the tables of a configuration into the engine's parts.

The one rule: nothing runs here; what is made can be thrown away again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial, reduce

import anyio.to_thread

from presence_syncd import logs
from presence_syncd.config import AccountSettings, Config, Idle, Note, Offline, Policy, vocabularies
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.fields import Secret, SecretRef, ServiceSettings
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.engine.account import Account, forget_clock
from presence_syncd.engine.board import Board
from presence_syncd.engine.budget import Budget
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.driver import Driver
from presence_syncd.engine.place import Placed
from presence_syncd.engine.transport import Carrier, Transport, network
from presence_syncd.engine.trouble import Trouble
from presence_syncd.metrics import Metrics
from presence_syncd.secrets import Secrets
from presence_syncd.store.store import Record, Store

Carriers = Callable[[ServiceSettings], Carrier]


def over_network(settings: ServiceSettings) -> Carrier:
    """Carry a service's requests over the real network, trusting what its table says."""
    return network(settings.ca_file, settings.proxy)


def rules(config: Config, policy: Policy) -> Rules:
    """The core's rules for a policy."""
    return Rules(
        compose=policy.compose,
        priority=tuple(config.domain(name) for name in policy.priority),
        settle=policy.settle,
        settle_fade=policy.settle_fade,
        idle_away=policy.idle is Idle.AWAY,
        offline_away=policy.offline is Offline.AWAY,
        notes=policy.note is Note.MIRROR,
        evidence=policy.evidence,
    )


def view(config: Config, settings: AccountSettings, kept: View | None, now: float) -> View:
    """The view to start with: what was kept, for the domains there are now, in the order they are configured."""
    old = forget_clock(kept or View(), now)
    domains = dict.fromkeys(config.domain(name) for name in settings.links)
    entries = {domain: old.entry(domain) for domain in domains}
    return View(entries, now, old.pin, old.paused, old.frozen_until)


class Assembly:
    """Makes drivers and accounts of one configuration."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        carriers: Carriers,
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
    ) -> None:
        self.config = config
        self.words = vocabularies(config)
        self._store, self._carriers, self._clock, self._rng, self._metrics = store, carriers, clock, rng, metrics
        self._secrets = Secrets()
        self._joined: dict[tuple[str, tuple[str, ...]], Vocabulary] = {}

    async def _reveal(self, ref: SecretRef) -> Secret:
        return await anyio.to_thread.run_sync(self._secrets, ref)

    def driver(self, name: str) -> Driver:
        """Make what carries out the flows of a service."""
        settings = self.config.services[name]
        service = REGISTRY[settings.type].service(name, settings)
        service.vocabulary = self.words[name]
        budget = Budget(service.traits.rate, service.traits.burst, self._clock, self._rng)
        transport = Transport(self._carriers(settings), self._clock)
        return Driver(service, transport, budget, self._clock, self._reveal, self._metrics)

    def account(self, settings: AccountSettings, record: Record, drivers: Mapping[str, Driver]) -> Account:
        """Make an account, with what was kept of it."""
        start = view(self.config, settings, record.view, self._clock.now())
        board = Board(start, rules(self.config, settings.policy))
        links = [self._place(settings, name, board, record, drivers[name]) for name in settings.links]
        log = logs.get(account=settings.name)
        return Account(
            settings.name,
            board,
            links,
            self._store.save,
            self._clock,
            self._rng,
            self._metrics,
            log,
            settings.policy.writer,
        )

    def _place(self, settings: AccountSettings, name: str, board: Board, record: Record, driver: Driver) -> Placed:
        table = settings.links[name]
        log = logs.get(account=settings.name, service=name)
        link = driver.service.link(settings.name, table, record.memory.get(name, {}))
        if settings.vip:
            link.vip = True
        return Placed(
            service=name,
            domain=self.config.domain(name),
            link=link,
            driver=driver,
            board=board,
            vocabulary=self._domain_vocabulary(settings, name),
            direction=table.direction,
            metrics=self._metrics,
            trouble=Trouble(self._clock, self._rng, log),
            hearing=Trouble(self._clock, self._rng, log),
            log=log,
            rng=self._rng,
            remembering=partial(self._store.remember, settings.name),
        )

    def _domain_vocabulary(self, settings: AccountSettings, name: str) -> Vocabulary:
        """A door's words with the echoes of every door of its domain."""
        domain = self.config.domain(name)
        doors = tuple(other for other in settings.links if other != name and self.config.domain(other) == domain)
        if (name, doors) not in self._joined:
            self._joined[name, doors] = reduce(
                Vocabulary.beside, (self.words[other] for other in doors), self.words[name]
            )
        return self._joined[name, doors]
