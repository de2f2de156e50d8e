"""Tokens: who we are to a service, got once, shared, and never asked for in a hurry.

The one rule: one flight per realm. Whoever is refused compares the token it used with the present one first; a realm
whose credentials are refused stays closed for a while, for everybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from typing import Protocol

import anyio

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply
from presence_syncd.engine.clock import Clock
from presence_syncd.errors import AuthRejected, ServiceError, Unavailable

AGAIN = 60.0
"""Seconds in which a realm is renewed by refusals at most once."""
CLOSED_LONGEST = 3600.0
"""Longest time a refused realm stays closed, in seconds."""
LOOK_AGAIN = 5.0
"""Seconds between two looks whether secrets that were refused for good have changed."""


class Holder(Protocol):
    """What knows how to get tokens: a service or a link. What it sends goes first where it is for a `vip`."""

    vip: bool

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]: ...
    def is_refusal(self, reply: Reply) -> bool: ...


class Witness:
    """Remembers which secrets a token flow used, without keeping them, and stops it before it repeats a refused try."""

    def __init__(self, refused: bytes | None, error: AuthRejected | None) -> None:
        self._digest = hashlib.sha256()
        self._refused, self._error = refused, error

    def note(self, secret: Secret) -> None:
        """A secret was revealed."""
        self._digest.update(secret.reveal().encode() + b"\0")

    def digest(self) -> bytes:
        """What identifies the secrets seen so far."""
        return self._digest.digest()

    def check(self) -> None:
        """Raise the old refusal instead of sending the same secrets again."""
        if self._error is not None and self.digest() == self._refused:
            raise copy(self._error)


@dataclass(slots=True)
class _Realm:
    """`error` closed it until `closed_until`; `final` and `digest` are the last refusal for good, and of what secrets.

    `challenge` is the answer that refused the last token, until there is a new one. `lock` is there while somebody asks
    for a token: it is as large as the rest, and most links of Skype for Business have a realm of their own.
    """

    lock: anyio.Lock | None = None
    token: Token | None = None
    got_at: float = float("-inf")
    replaced_at: float = float("-inf")
    challenge: Reply | None = None
    closed_until: float = 0.0
    failures: int = 0
    error: ServiceError | None = None
    final: AuthRejected | None = None
    digest: bytes | None = None

    def is_due(self, now: float) -> bool:
        if self.token is None or not self.is_good(now):
            return True
        return self.token.refresh_in is not None and now >= self.got_at + self.token.refresh_in

    def is_good(self, now: float) -> bool:
        if self.token is None:
            return False
        return self.token.expires_in is None or now < self.got_at + self.token.expires_in


Run = Callable[[Flow[Token], Holder, Witness], Awaitable[Token]]


class Tokens:
    """The tokens of one service's realms. `run` carries out a token flow; `opens` hears of each realm that got one."""

    def __init__(self, run: Run, clock: Clock, opens: Callable[[str], None] = lambda _name: None) -> None:
        self._run, self._clock, self._opens = run, clock, opens
        self._realms: dict[str, _Realm] = {}

    def at_hand(self, name: str) -> Token | None:
        """The token to use now, if nothing has to be done for it."""
        realm = self._realms.get(name)
        return None if realm is None or realm.is_due(self._clock.now()) else realm.token

    async def present(self, holder: Holder, name: str) -> Token:
        """The token to use now; a new one if it is due. An old one serves as long as it is good and none can be had."""
        async with self._alone(name) as realm:
            token = self.at_hand(name)
            if token is not None:
                return token
            try:
                return await self._renew(realm, holder, name)
            except ServiceError:
                if realm.token is None or not realm.is_good(self._clock.now()):
                    raise
                return realm.token

    async def replaced(self, holder: Holder, name: str, used: Token, refused: Reply) -> Token:
        """Another token than `used`, which was refused. Raises AuthRejected when a fresh one was refused, too."""
        async with self._alone(name) as realm:
            if realm.token is not None and realm.token is not used:
                return realm.token
            now = self._clock.now()
            if realm.token is used and now - realm.replaced_at < AGAIN:
                raise AuthRejected(f"a fresh token is refused (HTTP {refused.status})", retry_after=AGAIN)
            if realm.token is used:
                realm.token, realm.replaced_at = None, now
            realm.challenge = refused
            return await self._renew(realm, holder, name)

    def reopen(self) -> None:
        """Let every closed realm be tried again: a secret may have been exchanged."""
        for realm in self._realms.values():
            realm.closed_until, realm.failures = 0.0, 0

    def forget(self, name: str) -> None:
        """Drop a realm, such as that of an account that is gone."""
        self._realms.pop(name, None)

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncGenerator[_Realm]:
        """A realm, for one at a time."""
        realm = self._realms.setdefault(name, _Realm())
        lock = realm.lock = realm.lock or anyio.Lock()
        try:
            async with lock:
                yield realm
        finally:
            if not lock.locked():  # nobody waited for it
                realm.lock = None

    async def _renew(self, realm: _Realm, holder: Holder, name: str) -> Token:
        if self._clock.now() < realm.closed_until and realm.error is not None:
            raise copy(realm.error)
        witness = Witness(realm.digest, realm.final)
        try:
            token = await self._run(holder.token(name, realm.challenge, self._clock.wall()), holder, witness)
        except ServiceError as error:
            if isinstance(error, Unavailable):
                error.lived = None  # how long we asked for a token: the request that needs one was not out at all
            self._close(realm, error, witness)
            raise
        realm.token, realm.got_at, realm.challenge = token, self._clock.now(), None
        realm.closed_until, realm.failures, realm.error = 0.0, 0, None
        realm.final, realm.digest = None, None
        self._opens(name)
        return token

    def _close(self, realm: _Realm, error: ServiceError, witness: Witness) -> None:
        """Keep everybody from asking again too soon."""
        if isinstance(error, AuthRejected) and not isinstance(realm.error, AuthRejected):
            realm.failures = 0  # an outage says nothing of how long a refusal lasts
        # Copies: raised again and again, one object would gather the tracebacks of all who met it.
        realm.closed_until, realm.error = self._clock.now() + _pause(error, realm.failures), copy(error)
        realm.failures = min(realm.failures + 1, 10)
        if isinstance(error, AuthRejected) and error.retry_after is None:
            realm.final, realm.digest = copy(error), witness.digest()


def _pause(error: ServiceError, failures: int) -> float:
    """How long a realm stays closed: doubling for refused credentials, briefly for trouble."""
    asked = error.retry_after or 0.0
    if not isinstance(error, AuthRejected):
        return max(min(2.0**failures, AGAIN), asked)
    if error.retry_after is None:
        return LOOK_AGAIN  # nothing is sent as long as the secrets are the same: see Witness
    return min(max(AGAIN, asked) * 2.0**failures, CLOSED_LONGEST)
