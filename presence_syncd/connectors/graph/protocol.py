"""The flows of Microsoft Graph presence: one service per tenant and app, one link per person.

The one rule: every write says the whole of what should hold and for how long, so that repeating it is safe and a
daemon that died is forgotten. Source: graph sheet §1-§3, §6, §8; mapping §3 note 1.

With `preferred = true` two things are written. A state that only the preferred presence can say is set there, over a
session of the lowest rank (`Away/Away`): without any session the preferred state would not show, and this one neither
fades nor claims that somebody is there once the preferred state is gone. For a state that only sessions can say, and
for `Available`, the session is written first and the preferred state cleared then, so that nothing else shows in
between. A refresh never clears the preferred state: what the person has chosen in Teams since stays.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count

from presence_syncd.connectors.connector import Link, Publish, Published, Service, Token, Traits
from presence_syncd.connectors.flow import (
    Flow,
    Remember,
    Reply,
    Request,
    chunks,
    expect,
    json_body,
    without_words,
)
from presence_syncd.connectors.graph import auth, wire
from presence_syncd.connectors.graph.batch import SIZE, batch
from presence_syncd.connectors.graph.reading import newest
from presence_syncd.connectors.graph.settings import RENEW, GraphLinkSettings, GraphSettings
from presence_syncd.connectors.upkeep import BURST, Limit, Upkeep, renewed
from presence_syncd.core.entry import Observation
from presence_syncd.core.presence import UNKNOWN
from presence_syncd.errors import Rejected, RemoteProtocolError

REALM = "graph"
SWEEP_SIZE = 650
"""People one read covers (§3.1)."""
MAX_SWEEP = 8 * 1024 * 1024
"""Largest answer to a sweep, in bytes: 650 people with the longest notes."""
NOTE_LENGTH = 280
"""Characters of a note; the Teams client's own limit (§2.3)."""
LIMIT = Limit(1500, 30.0)
"""The smaller one of the two documented limits of an app in a tenant, reads and writes together (§5)."""
VISIBLE_WITHIN = 300.0
"""Seconds until a write is seen; clients poll (§1.2)."""
SLOW_PROBE = 900.0
"""Seconds after which something only an administrator can repair is tried again."""

CAUSES: Mapping[int, str] = {
    400: "the service does not take this pair, duration or session id",
    402: "the tenant must pay for this call",
    403: "the app lacks the application permission Presence.ReadWrite.All (with admin consent), or the user a licence",
    404: "no such user in this tenant, or not enabled for Teams",
}
"""Likely causes of a refusal (§1.2, §8)."""
_PROBED = frozenset({402, 403, 404})
_PROCESS = str(uuid.uuid4())[:24]
_numbers = count()  # an id that is drawn takes ten times as long, a fortieth of a renewal
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class GraphService(Service):
    """One Entra tenant and app."""

    def __init__(self, name: str, settings: GraphSettings) -> None:
        super().__init__(name)
        self.settings = settings
        beta = settings.api == "beta"
        self.vocabulary = wire.vocabulary(settings.preferred, beta=beta).override(settings.mapping)
        rate = settings.rate or LIMIT.rate
        self.traits = Traits(
            visible_within=VISIBLE_WITHIN,
            rate=rate,
            burst=BURST * rate,
            poll_every=settings.sweep,
            sweep_size=SWEEP_SIZE,
            batch_size=SIZE,
            leased=True,
            notes=True,
            limit=LIMIT,
        )
        self.writing = _upkeep(settings)

    def link(self, account: str, settings: GraphLinkSettings, memory: Mapping[str, str]) -> GraphLink:
        """Make the place of one account in the tenant."""
        return GraphLink(self, account, settings, memory)

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        """Get a token for Graph, the only realm; a claims challenge in `refused` is answered."""
        del realm
        return auth.token(self.settings, refused, wall)

    def is_refusal(self, reply: Reply) -> bool:
        """401, or 403 with a claims challenge (§7.4)."""
        return reply.status == 401 or (reply.status == 403 and auth.is_challenge(reply))

    def sweep(self, links: Sequence[Link]) -> Flow[dict[str, Observation]]:
        """Read up to 650 people at a time; who is not in the answer is not in the result."""
        links_by_id = {link.key.lower(): link for link in links if isinstance(link, GraphLink)}
        shown: dict[str, Observation] = {}
        for ids in chunks(links_by_id, SWEEP_SIZE):
            url = f"{self.settings.graph_root}/communications/getPresencesByUserId"
            body = json_body({"ids": ids})
            reply = yield Request(
                "POST", url, "sweep", headers=_headers(), body=body, realm=REALM, timeout=30.0, max_body=MAX_SWEEP
            )
            for key, observation in newest(_accepted(reply)).items():
                if key in links_by_id:
                    shown[links_by_id[key].key] = links_by_id[key].saw(observation)
        return shown

    def batch(self, requests: Sequence[Request]) -> Flow[list[Reply | None]]:
        """Send requests in one envelope."""
        return batch(self.settings.graph_root, REALM, _headers(), requests)


class GraphLink(Link):
    """One person. `seen` is the last observation since our last write, which ended at `wrote_at` (daemon's seconds)."""

    service: GraphService

    def __init__(
        self, service: GraphService, account: str, settings: GraphLinkSettings, memory: Mapping[str, str]
    ) -> None:
        super().__init__(service, account, settings, memory)
        self.key = settings.user
        self.settings = settings
        self.tenant = service.settings
        self.vocabulary = service.vocabulary
        self.seen: Observation | None = None
        self.wrote_at = float("-inf")

    def read(self) -> Flow[Observation]:
        """Read this person's presence; UNKNOWN if the answer holds none."""
        url = f"{self.tenant.graph_root}/users/{self.key}/presence"
        reply = _accepted((yield Request("GET", url, "read", headers=_headers(), realm=REALM)))
        nothing = Observation(UNKNOWN, "null", reply.started_at, reply.at)
        return self.saw(next(iter(newest(reply).values()), nothing))

    def rests(self, *, present: bool) -> float | None:  # noqa: ARG002  # renewals depend on it
        """Always: the session is renewed with what it says."""
        return float("inf")

    def saw(self, observation: Observation) -> Observation:
        """Keep what was seen, unless it was asked for before our last write ended."""
        if observation.started_at >= self.wrote_at:
            self.seen = observation
        return observation

    def publish(self, publish: Publish) -> Flow[Published]:
        """Write a status, and the note where one is given. Raises Rejected with the likely cause."""
        if publish.word in wire.SESSION_ONLY or not self.tenant.preferred:
            yield from self._show_session(publish)
        elif publish.word == wire.PRESENT:
            yield from self._show_available(publish)
        else:
            yield from self._show_preferred(publish)
        yield from self._show_note(publish)
        return self._lease(publish.word)

    def retract(self, *, overridden: bool) -> Flow[None]:
        """Take back the session, and the preferred state and the note unless they are the person's by now."""
        preferred, note = bool(self.memory.get("preferred")) and not overridden, self._is_note_ours()
        yield from self._clear_session()
        if preferred:
            yield from self._write("clearUserPreferredPresence", b"{}")
        yield from self._remember("preferred", "")
        if note:
            yield from self._write("setStatusMessage", _message(""))
        yield from self._remember("note", "")

    def upkeep(self) -> Upkeep:
        """Renewals, where the link is written; each part of an envelope counts as a request (§6)."""
        return self.service.writing if self.settings.direction.writes else Upkeep(is_swept=True)

    def sign_out(self) -> Flow[None]:
        """Leave cleanly, where that is wanted."""
        if self.tenant.clear_on_stop:
            yield from self.retract(overridden=self._is_overridden())

    def _lease(self, word: str) -> Published:
        """How long the word holds: two clocks, and only `Available` (in beta everything) fades (§1.4)."""
        tenant = self.tenant
        if word == wire.PRESENT and not tenant.hold_available:
            return Published()
        if word == wire.PRESENT or tenant.api == "beta":
            return Published(expires_in=tenant.lifetime_available, refresh_in=tenant.refresh_available)
        return Published(expires_in=tenant.expiration, refresh_in=RENEW * tenant.expiration)

    def _show_session(self, publish: Publish) -> Flow[None]:
        yield from self._set_session(publish.word)
        if self.tenant.preferred and not publish.refresh:
            yield from self._clear_preferred()

    def _show_available(self, publish: Publish) -> Flow[None]:
        if self.tenant.hold_available:
            yield from self._set_session(publish.word)
        elif not publish.refresh:
            yield from self._clear_session()
        if not publish.refresh:
            yield from self._clear_preferred()

    def _show_preferred(self, publish: Publish) -> Flow[None]:
        yield from self._remember("preferred", publish.word)
        body = {**_pair(publish.word), "expirationDuration": wire.iso_duration(self.tenant.expiration)}
        yield from self._write("setUserPreferredPresence", json_body(body))
        if self.tenant.hold_available:
            yield from self._set_session(wire.QUIET)

    def _show_note(self, publish: Publish) -> Flow[None]:
        if publish.note is None:
            return
        text = publish.note[:NOTE_LENGTH].encode(errors="replace").decode()
        if publish.refresh and self.memory.get("note") == _digest(text):
            return
        yield from self._remember("note", _digest(text))
        yield from self._write("setStatusMessage", _message(text))

    def _set_session(self, word: str) -> Flow[None]:
        tenant = self.tenant
        lasts = None if tenant.api == "beta" else tenant.expiration
        yield from self._write("setPresence", _session(tenant.client_id, word, lasts))

    def _clear_session(self) -> Flow[None]:
        """End our session; that there is none (404) is as good."""
        yield from self._write("clearPresence", json_body({"sessionId": self.tenant.client_id}), 404)

    def _clear_preferred(self) -> Flow[None]:
        yield from self._write("clearUserPreferredPresence", b"{}")
        yield from self._remember("preferred", "")

    def _write(self, action: str, body: bytes, *also: int) -> Flow[None]:
        url = f"{self.tenant.graph_root}/users/{self.key}/presence/{action}"
        reply = yield Request("POST", url, action, headers=_headers(), body=body, realm=REALM, batch=True)
        self.seen, self.wrote_at = None, reply.at
        without_words(_accepted(reply, *also))

    def _remember(self, key: str, value: str) -> Flow[None]:
        if self.memory.get(key, "") != value:
            self.memory[key] = value
            yield Remember(key, value)

    def _is_overridden(self) -> bool:
        """Whether something else has been seen since we set the preferred state: it is the person's by now."""
        if self.seen is None or not self.seen.status.is_known:
            return False
        word, shown = self.memory.get("preferred", ""), self.seen.status
        return not self.vocabulary.shows(word, shown)

    def _is_note_ours(self) -> bool:
        """Whether the note may still be the one we wrote: no other has been seen since."""
        ours = self.memory.get("note")
        return bool(ours) and (self.seen is None or self.seen.note is None or _digest(self.seen.note) == ours)


def _upkeep(settings: GraphSettings) -> Upkeep:
    """What a person costs at most: Available, or a state that takes a preferred presence and a session."""
    leases = [(1, settings.refresh_available, settings.lifetime_available)] if settings.hold_available else []
    if settings.api != "beta":
        both = 2 if settings.preferred and settings.hold_available else 1
        leases.append((both, RENEW * settings.expiration, settings.expiration))
    costs = [renewed(*lease) for lease in leases]
    return Upkeep(renewals=max(cost for cost, _ in costs), slack=min(slack for _, slack in costs), is_swept=True)


def _headers() -> dict[str, str]:
    """Headers of one request; the id is new each time, so that both sides' logs can be joined (§8)."""
    return {"content-type": "application/json", "client-request-id": f"{_PROCESS}{next(_numbers):012x}"}


def _pair(word: str) -> dict[str, str]:
    availability, _, activity = word.partition("/")
    return {"availability": availability, "activity": activity}


@lru_cache(maxsize=256)
def _session(client_id: str, word: str, lasts: float | None) -> bytes:
    """What a session is set with, in seconds; the same for everybody, and written with every renewal."""
    duration = {} if lasts is None else {"expirationDuration": wire.iso_duration(lasts)}
    return json_body({"sessionId": client_id, **_pair(word), **duration})


def _message(text: str) -> bytes:
    return json_body({"statusMessage": {"message": {"content": text, "contentType": "text"}}})


def _digest(note: str) -> str:
    """Recognise a note over a restart without keeping its text; empty for none."""
    return hashlib.sha256(note.encode(errors="replace")).hexdigest()[:16] if note else ""


def _accepted(reply: Reply, *also: int) -> Reply:
    """Return the reply if it is a success (200 or 204: the documents mix them); raise what it means otherwise."""
    try:
        return expect(reply, 200, 204, *also)
    except Rejected as error:
        cause = CAUSES.get(error.status, "the service refuses the request")
        said = f"{cause} (HTTP {error.status}{_code(reply)})"
        raise Rejected(said, status=error.status, retry_after=SLOW_PROBE if error.status in _PROBED else None) from None


def _code(reply: Reply) -> str:
    """The service's own error code, for people; nothing if there is none that is safe to show."""
    try:
        error = reply.json_object().get("error")
    except RemoteProtocolError:
        return ""
    code = error.get("code") if isinstance(error, dict) else None
    return f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
