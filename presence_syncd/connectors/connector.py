"""What a connector is: one folder that offers a `Connector`, whose `Service` makes the `Link`s of accounts.

The one rule: everything a connector does with the world is a flow; its objects hold settings and session facts only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from presence_syncd.connectors.fields import LinkSettings, ServiceSettings
from presence_syncd.connectors.flow import Flow, Reply, Request
from presence_syncd.connectors.upkeep import Limit, Upkeep
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import Status
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.errors import Rejected


@dataclass(frozen=True, slots=True)
class Token:
    """The headers that prove who asks. Times are seconds from the answer that brought it; None: not told."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    expires_in: float | None = None
    refresh_in: float | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """What to write: a word of the vocabulary and, where mirrored, the note.

    `attempt` counts from 0; above 0 an earlier try had an unknown outcome. `refresh`: only the lease is renewed.
    """

    word: str
    note: str | None = None
    attempt: int = 0
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What a write led to.

    `shown` is the effective status where the answer tells it; `word` what was really written if a substitute was
    needed; `expires_in` seconds until the service forgets or fades it (None: it holds); `refresh_in` seconds after
    which it should be written again; `order` the service's version of the object where the answer tells it.
    """

    shown: Status | None = None
    word: str | None = None
    expires_in: float | None = None
    refresh_in: float | None = None
    order: int | str | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a service that the engine and the core decide by. Times in seconds.

    `visible_within`  how long a write may take until it is read back;
    `rate`, `burst`   requests per second the service grants its login, and how many at once;
    `limit`           what the service documents of that (None: nothing);
    `pushes`          links follow changes by `watch`; otherwise
    `sweep_size`      links one `sweep` flow may cover (0: every link is read alone), each
    `poll_every`      seconds;
    `batch_size`      requests one envelope may carry (1: none);
    `leased`          whether what is written expires unless it is written again;
    `fades`           whether it shows by itself when nobody is there any more;
    `wakes`           whether who is not awake seems so for a while when available is written;
    `notes`           whether a note can be written and read.
    """

    visible_within: float
    rate: float
    burst: float
    poll_every: float
    pushes: bool = False
    sweep_size: int = 0
    batch_size: int = 1
    leased: bool = False
    fades: bool = True
    wakes: bool = False
    notes: bool = False
    limit: Limit | None = None


class Link:
    """An account's place in one service: the flows of one person. Subclasses fill in what their service has.

    `key` is the person's id in the service, as sweeps return it. `memory` holds what `Remember` kept. `start_with` is
    the word that says what is shown now: a session that must begin with some status begins with it, and overwrites
    nothing; None while nothing is known. `vip`: whether its requests go before others' that are as urgent.
    """

    vip: bool = False

    def __init__(self, service: Service, account: str, settings: LinkSettings, memory: Mapping[str, str]) -> None:
        self.service = service
        self.account = account
        self.key = account
        self.settings_table = settings
        self.memory = dict(memory)
        self.start_with: str | None = None

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        """Get the token of `realm`; `refused` is the answer that refused the last one; `wall` Unix seconds."""
        return self.service.token(realm, refused, wall)

    def is_refusal(self, reply: Reply) -> bool:
        """Whether the answer says that its token is not, or no longer, good."""
        return self.service.is_refusal(reply)

    def read(self) -> Flow[Observation]:
        """Read what the service shows for this person now."""
        raise Rejected("this service is not read one by one")
        yield

    def publish(self, publish: Publish) -> Flow[Published]:
        """Write a status. Returning means that the service accepted it."""
        raise Rejected("this service cannot be written")
        yield

    def retract(self, *, overridden: bool) -> Flow[None]:
        """Take back what we published, so that the service shows what it would without us.

        `overridden`: the person has replaced what was visible of it; only what lies under that may be taken back.
        """
        return
        yield

    def watch(self) -> Flow[None]:
        """Follow changes as they come, by `Emit`; returns or raises only when the session is over."""
        return
        yield

    def companions(self) -> tuple[Callable[[], Flow[None]], ...]:
        """Flows that run beside `watch`, under the same rules."""
        return ()

    def rests(self, *, present: bool) -> float | None:
        """Seconds for which the session needs nothing, as far as is known; None: `keep_alive` is to be run.

        It is asked as often as every few seconds of thousands of people, who are not worth a flow each for that.
        """
        return None

    def keep_alive(self, *, present: bool) -> Flow[float]:
        """Do what keeps the session; `present` says if the person is proven there. Returns seconds until the next."""
        return float("inf")
        yield

    def upkeep(self) -> Upkeep:
        """What this link needs besides sweeps although nothing changes, while the person is there."""
        traits = self.service.traits
        alone = not (traits.sweep_size or traits.pushes)
        return Upkeep(polls=1 / traits.poll_every if alone else 0.0, is_swept=traits.sweep_size > 0)

    def sign_out(self) -> Flow[None]:
        """Leave cleanly: the session ends at the service too."""
        return
        yield


class Service:
    """One configured service: a Graph tenant and app, a Skype deployment, a BEMS, a Symphony pod."""

    vocabulary: Vocabulary
    traits: Traits
    vip: bool = False

    def __init__(self, name: str) -> None:
        self.name = name

    def link(self, account: str, settings: Any, memory: Mapping[str, str]) -> Link:
        """Make the place of one account in this service."""
        return Link(self, account, settings, memory)

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        """Get the token of `realm`. Requests of this flow may name another realm, never the same."""
        raise Rejected(f"no token is known for {realm!r}")
        yield

    def is_refusal(self, reply: Reply) -> bool:
        """Whether the answer says that its token is not, or no longer, good."""
        return reply.status == 401

    def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
        """Read many links at once; returns what is shown by `Link.key`. A missing key says nothing."""
        return {}
        yield

    def sweeping(self, links: int) -> float:
        """Requests per second that sweeping so many links needs."""
        size = self.traits.sweep_size
        return ceil(links / size) / self.traits.poll_every if size else 0.0

    def batch(self, requests: Sequence[Request]) -> Flow[list[Reply | None]]:
        """Send requests in one envelope; answers in their order, None for one that was not answered."""
        return [None for _ in requests]
        yield


@dataclass(frozen=True, slots=True)
class Connector:
    """A kind of service, as the registry knows it. `kind` is its `type` in the configuration.

    `domain` is the presence domain its links share with other kinds (UCWA and BEMS: `sfb`); None: each service its own.
    `emulator` makes the service's stand-in for demo and tests.
    """

    kind: str
    settings: type[ServiceSettings]
    link_settings: type[LinkSettings]
    service: Callable[[str, Any], Service]
    emulator: Callable[..., Any]
    domain: str | None = None
