"""The flows of Symphony presence: read, write, sweep.

The one rule: a 200 with another category than was asked for is success; what it shows is what will be read back.
Sign out and retract do nothing: the session is the bot's, shared by every account, and a category holds by itself.
Source: the Pod API description (20.17.1), calls P1 to P6 of the fact sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token, Traits
from presence_syncd.connectors.flow import Emit, Enter, Flow, Reply, Request, expect, json_body
from presence_syncd.connectors.symphony.auth import act_as, log_in
from presence_syncd.connectors.symphony.settings import SymphonyLinkSettings, SymphonySettings
from presence_syncd.connectors.symphony.sweep import PAGE, Sweep, observation
from presence_syncd.connectors.symphony.wire import SUBSTITUTES, Record, record
from presence_syncd.connectors.upkeep import BURST, Upkeep
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import OFFLINE, UNKNOWN
from presence_syncd.errors import RateLimited, Rejected, RemoteProtocolError, Unavailable

EVERYBODY = 1_000_000
"""Links one sweep covers: the list is the whole pod's, cutting it up would only repeat it."""
LIST_TIMEOUT, LIST_BODY = 60.0, 8 * 1024 * 1024
"""Seconds and bytes for one page of the pod's list, which is slow and long."""
EXTERNAL_EVERY = 300.0
"""Seconds between two readings of a user of another company."""
INTEREST, LAPSE = 3300.0, 3600.0
"""Seconds after which the interest in an external user is registered anew, and after which the pod forgets it."""
JSON = {"content-type": "application/json"}


class SymphonyService(Service):
    """One pod, seen by one service account or one app. `refused` are the categories it turned out not to take."""

    def __init__(self, name: str, settings: SymphonySettings) -> None:
        super().__init__(name)
        self.settings = settings
        self.vocabulary = settings.vocabulary()
        self.refused: set[str] = set()
        self.traits = self._traits(listed=False)
        self._sweep = Sweep(self._page, self.traits.poll_every)

    def _traits(self, *, listed: bool) -> Traits:
        every, rate = self.settings.read_every(listed=listed), self.settings.fastest
        size = 0 if self.settings.is_obo else EVERYBODY
        return Traits(visible_within=3 * every, rate=rate, burst=BURST * rate, poll_every=every, sweep_size=size)

    def link(self, account: str, settings: SymphonyLinkSettings, memory: Mapping[str, str]) -> Link:
        """Make the place of one account on this pod."""
        kind = ExternalLink if settings.external else SymphonyLink
        return kind(self, account, settings, memory)

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:  # noqa: ARG002  # a 401 says no more
        """Get a session: of the `bot`, of the `app`, or by the app's of `user ID` or `username NAME`."""
        login, key = self.settings.login, self.settings.private_key
        if realm == "bot":
            return log_in(f"{login}/pubkey/authenticate", self.settings.bot or "", key, wall)
        if realm == "app":
            return log_in(f"{login}/pubkey/app/authenticate", self.settings.app or "", key, wall)
        return act_as(login, realm)

    def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
        """Read many users: alone while they are few, else from the pod's list, less often. External ones are not swept.

        How many they are sets `traits.poll_every` for the next sweep. Raises what the pod said if nobody could be read.
        """
        ours = [link for link in links if isinstance(link, SymphonyLink) and link.is_swept]
        is_listed = len(ours) > self.settings.read_alone
        self.traits = self._traits(listed=is_listed)
        seen, trouble = yield from self._sweep.listed(ours) if is_listed else self._sweep.each(ours)
        if trouble and not seen:
            raise trouble[0]
        return seen

    def sweeping(self, links: int) -> float:
        """One request for each user while they are few, else one for each page of the pod's list."""
        is_listed = links > self.settings.read_alone
        return (ceil(links / PAGE) if is_listed else links) / self.settings.read_every(listed=is_listed)

    def _page(self, start: int) -> Request:
        url = f"{self.settings.presence}/v2/users/presence?lastUserId={start}&limit={PAGE}"
        return Request("GET", url, "list", realm="bot", timeout=LIST_TIMEOUT, max_body=LIST_BODY)


class SymphonyLink(Link):
    """One person of the pod. `key` is the user's id as text (the username where no id is configured)."""

    service: SymphonyService

    def __init__(
        self, service: SymphonyService, account: str, settings: SymphonyLinkSettings, memory: Mapping[str, str]
    ) -> None:
        super().__init__(service, account, settings, memory)
        self.user_id = settings.user_id
        self.key = str(settings.username if settings.user_id is None else settings.user_id)
        self.is_swept = self.user_id is not None and not settings.external
        self.is_obo = service.settings.is_obo
        self.realm = "bot" if not self.is_obo else f"{'username' if self.user_id is None else 'user'} {self.key}"

    def upkeep(self) -> Upkeep:
        """Nothing besides sweeps for a service account; an app reads each user alone."""
        every = self.service.settings.read_every(listed=False)
        return Upkeep(polls=1 / every if self.is_obo else 0.0, is_swept=not self.is_obo)

    def rests(self, *, present: bool) -> float | None:  # noqa: ARG002  # no session is kept
        """Always: the pod is swept."""
        return float("inf")

    def read(self) -> Flow[Observation]:
        """Read what the pod shows for this person now. Raises Rejected (404) for a user the pod does not know."""
        reply = yield self._reading()
        return observation(reply, self._record(reply))

    def publish(self, publish: Publish) -> Flow[Published]:
        """Set the category. Where an earlier try had an unknown outcome, look first; nothing is written twice."""
        word = SUBSTITUTES[publish.word] if publish.word in self.service.refused else publish.word
        shown = (yield from self._look()) if publish.attempt else None
        if shown is None or shown.category != word:
            word, shown = yield from self._write(word)
        status = None if shown.status == UNKNOWN else shown.status
        return Published(status, word if word != publish.word else None, order=shown.order)

    def _look(self) -> Flow[Record]:
        return self._record((yield self._reading()))

    def _write(self, word: str) -> Flow[tuple[str, Record]]:
        """Write `word`, or its substitute where the pod refuses only that. Returns what was written, and what shows."""
        reply = yield self._writing(word)
        if reply.status == 403 and word in SUBSTITUTES:
            refused, word = word, SUBSTITUTES[word]
            reply = yield self._writing(word)
            if reply.status == 200:
                self.service.refused.add(refused)
        if reply.status == 403:
            raise Rejected("HTTP 403: writing needs the privilege ADMIN_PRESENCE_UPDATE", status=403)
        return word, self._record(reply)

    def _reading(self) -> Request:
        if self.is_obo:
            return Request("GET", self._url("/v2/user/presence"), "read", realm=self.realm)
        return Request("GET", self._url(f"/v3/user/{self._id()}/presence?local=false"), "read", realm=self.realm)

    def _writing(self, word: str) -> Request:
        body: dict[str, Any] = {"category": word} if self.is_obo else {"category": word, "userId": self._id()}
        soft = "true" if self.service.settings.is_soft(word) else "false"
        url = self._url(f"/{'v2' if self.is_obo else 'v3'}/user/presence?soft={soft}")
        return Request("POST", url, "write", headers=JSON, body=json_body(body), realm=self.realm)

    def _url(self, path: str) -> str:
        return self.service.settings.presence + path

    def _id(self) -> int:
        if self.user_id is None:
            raise Rejected("the service account finds users by user_id only; username is for mode obo")
        return self.user_id

    def _record(self, reply: Reply) -> Record:
        """Take this person's record out of an answer; one about somebody else is refused."""
        shown = record(expect(reply, 200).json())
        if None not in (shown.user_id, self.user_id) and shown.user_id != self.user_id:
            raise RemoteProtocolError("the answer is about another user than was asked for")
        return shown


class ExternalLink(SymphonyLink):
    """A user of another company: read only, once in five minutes, while our interest is registered."""

    def __init__(
        self, service: SymphonyService, account: str, settings: SymphonyLinkSettings, memory: Mapping[str, str]
    ) -> None:
        super().__init__(service, account, settings, memory)
        self._registered_at: float | None = None

    def upkeep(self) -> Upkeep:
        """Its own readings, and the interest in them."""
        return Upkeep(polls=1 / EXTERNAL_EVERY + 1 / INTEREST)

    def read(self) -> Flow[Observation]:
        """Read what the pod shows of this person; the pod allows it once in five minutes."""
        if self.is_obo:
            raise Rejected("users of other companies are read by a service account (mode admin) only")
        yield from self._register()
        return self._judge((yield from super().read()))

    def publish(self, publish: Publish) -> Flow[Published]:
        """Refuse: nobody writes for another company's users."""
        raise Rejected(f"{publish.word} cannot be written for a user of another company")
        yield

    def rests(self, *, present: bool) -> float | None:  # noqa: ARG002  # as below
        """Never: nothing else reads them."""
        return None

    def keep_alive(self, *, present: bool) -> Flow[float]:  # noqa: ARG002  # it is their presence, not ours
        """Read, and hand over what was read. Returns five minutes whatever happened: a refused reading counts."""
        try:
            yield Emit((yield from self.read()))
            yield Enter("followed")
        except (Rejected, RateLimited, Unavailable, RemoteProtocolError) as error:
            yield Enter("unreadable", str(error))
        return EXTERNAL_EVERY

    def _register(self) -> Flow[None]:
        if self._registered_at is not None:
            return
        url, body = self._url("/v1/user/presence/register"), json_body([self._id()])
        reply = expect((yield Request("POST", url, "register", headers=JSON, body=body, realm=self.realm)), 200)
        self._registered_at = reply.started_at

    def _judge(self, seen: Observation) -> Observation:
        """Believe no "offline" of a pod that has forgotten our interest; have it renewed in time."""
        age = seen.at - (self._registered_at or 0.0)
        if age >= INTEREST - EXTERNAL_EVERY:
            self._registered_at = None
        if age < LAPSE or seen.status != OFFLINE:
            return seen
        return Observation(UNKNOWN, "OFFLINE (interest lapsed)", seen.started_at, seen.at)
