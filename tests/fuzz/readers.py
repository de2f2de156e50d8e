"""The readers, each as a function of bytes, and what real input looks like, to start from.

The one rule: a reader may refuse (`PresenceSyncError`); whatever else it raises is a bug.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from presence_syncd.config import load
from presence_syncd.connectors.bems.events import contacts_in
from presence_syncd.connectors.bems.frames import Frames
from presence_syncd.connectors.bems.jsonrpc import read_answer
from presence_syncd.connectors.bems.lookup import Lookup
from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.bems.wire import presence_name, status_of
from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal, retry_after
from presence_syncd.connectors.graph import auth
from presence_syncd.connectors.graph.batch import batch
from presence_syncd.connectors.graph.reading import newest
from presence_syncd.connectors.graph.settings import GraphSettings
from presence_syncd.connectors.symphony.auth import session_token
from presence_syncd.connectors.symphony.sweep import Sweep, observation
from presence_syncd.connectors.symphony.wire import record
from presence_syncd.connectors.ucwa.protocol.batch import read_batch
from presence_syncd.connectors.ucwa.protocol.challenge import challenge_of
from presence_syncd.connectors.ucwa.protocol.channel import read_page
from presence_syncd.connectors.ucwa.protocol.problem import problem_of
from presence_syncd.connectors.ucwa.protocol.resource import read_resource
from presence_syncd.connectors.ucwa.wire import status_of as ucwa_status
from presence_syncd.errors import PresenceSyncError
from tests.fuzz.documents import (
    BEMS,
    EVENTS,
    FRAME,
    JSON,
    PRESENCE,
    RECORD,
    TOML,
    UCWA,
    XML,
    XML_EVENTS,
    XML_RESOURCE,
    text,
)
from tests.fuzz.services import LINKS, play

Reader = Callable[[bytes], None]
GRAPH = GraphSettings(
    type="graph",
    tenant="contoso.com",
    client_id="22553876-f5ab-4529-bffb-cfe50aa89f87",
    client_secret=SecretRef(env="SECRET"),
)
LOOKUP = BemsSettings(
    type="bems",
    url="wss://bems.contoso.com:8082/connect",
    lookup_url="https://bems.contoso.com:8443",
    token=SecretRef(env="SECRET"),
)
ASKED = [Request("POST", f"https://graph.microsoft.com/v1.0/{n}", "write", body=b"{}") for n in range(3)]


def _answered(flow: Flow[Any], reply: Reply) -> None:
    """Drive a flow whose every request gets the same answer, a hundred times at most."""
    answer: Any = None
    with suppress(StopIteration):
        for _ in range(100):
            step = flow.send(answer)
            answer = Secret("secret") if isinstance(step, Reveal) else reply
        raise AssertionError("the flow does not end")


def _graph_presence(data: bytes) -> None:
    newest(Reply(200, JSON, data))


def _graph_batch(data: bytes) -> None:
    _answered(batch("https://graph.microsoft.com/v1.0", "graph", {}, ASKED), Reply(200, JSON, data))


def _graph_token(data: bytes) -> None:
    status = 200 if len(data) % 2 else 400
    _answered(auth.token(GRAPH, None, 1.8e9), Reply(status, JSON, data))


def _graph_challenge(data: bytes) -> None:
    said = Reply(401, (("www-authenticate", data.decode("latin-1")),))
    auth.is_challenge(said)
    _answered(auth.token(GRAPH, said, 1.8e9), Reply(200, JSON, b'{"access_token": "t", "expires_in": 10}'))


def _symphony_record(data: bytes) -> None:
    reply = Reply(200, JSON, data)
    observation(reply, record(reply.json()))


def _symphony_list(data: bytes) -> None:
    sweep = Sweep(lambda start: Request("GET", f"https://pod.example.com/{start}", "list"), 60.0)
    service, settings = next(LINKS["symphony"]())
    _answered(sweep.listed([service.link("alice", settings, {})]), Reply(200, JSON, data))


def _symphony_session(data: bytes) -> None:
    session_token(Reply(200, JSON, data))


def _ucwa_json(data: bytes) -> None:
    resource = read_resource(Reply(200, JSON, data))
    ucwa_status(resource.properties.get("availability", ""))


def _ucwa_xml(data: bytes) -> None:
    resource = read_resource(Reply(200, XML, data))
    ucwa_status(resource.properties.get("availability", ""))


def _ucwa_events_json(data: bytes) -> None:
    read_page(Reply(200, JSON, data))


def _ucwa_events_xml(data: bytes) -> None:
    read_page(Reply(200, XML, data))


def _ucwa_problem(data: bytes) -> None:
    problem_of(Reply(409, XML if data[:1] == b"<" else JSON, data))


def _ucwa_challenge(data: bytes) -> None:
    challenge_of(Reply(401, (("www-authenticate", data.decode("latin-1")),)))


def _bems_frame(data: bytes) -> None:
    for message in Frames(Counter()).read(data):
        answer = read_answer(message)
        for shown in contacts_in(answer.data or {}):
            status_of(presence_name(getattr(shown, "name", None)))


def _bems_lookup(data: bytes) -> None:
    lookup = Lookup(LOOKUP, Counter())
    for _ in range(3):
        _answered(lookup.read(["sip:alice@contoso.com"]), Reply(200, JSON, data))


def _ucwa_batch(data: bytes) -> None:
    kind = (("content-type", 'multipart/batching; boundary="b"'),)
    for part in read_batch(Reply(200, kind, data), ["/a", "/b"]):
        if part is not None:
            read_resource(part)


def _retry_after(data: bytes) -> None:
    retry_after(Reply(429, (("retry-after", data.decode("latin-1")), ("date", "Sat, 21 Nov 2026 06:00:00 GMT"))))


def _toml(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "presence-syncd.toml")
        path.write_bytes(data)
        load(path)


READERS: dict[str, tuple[Reader, bytes]] = {
    "graph-presence": (_graph_presence, text({"value": [PRESENCE]})),
    "graph-batch": (_graph_batch, text({"responses": [{"id": "r0", "status": 200, "headers": {}, "body": PRESENCE}]})),
    "graph-token": (_graph_token, text({"access_token": "t", "expires_in": 3599, "error": "x", "error_codes": [1]})),
    "graph-challenge": (_graph_challenge, b'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'),
    "symphony-record": (_symphony_record, text(RECORD)),
    "symphony-list": (_symphony_list, text([RECORD, {"category": "AWAY", "userId": 3}])),
    "symphony-session": (_symphony_session, text({"name": "sessionToken", "token": "t"})),
    "ucwa-json": (_ucwa_json, text({"rel": "presence", "availability": "Online", "_links": {"self": {"href": "/p"}}})),
    "ucwa-xml": (_ucwa_xml, XML_RESOURCE),
    "ucwa-events-json": (_ucwa_events_json, text(EVENTS)),
    "ucwa-events-xml": (_ucwa_events_xml, XML_EVENTS),
    "ucwa-problem": (_ucwa_problem, text({"code": "Conflict", "subcode": "AlreadyExists"})),
    "ucwa-challenge": (
        _ucwa_challenge,
        b'MsRtcOAuth href="https://a/b",grant_type="password,urn:microsoft.rtc:windows"',
    ),
    "bems-frame": (_bems_frame, text(FRAME)),
    "bems-lookup": (_bems_lookup, BEMS["subscribe"][0][2]),
    "ucwa-batch": (_ucwa_batch, UCWA["batch"][0][2]),
    "retry-after": (_retry_after, b"120"),
    "retry-date": (_retry_after, b"Sat, 21 Nov 2026 06:01:00 +0000"),
    "toml": (_toml, TOML),
    **{f"{kind}-link": (partial(play, kind), bytes(60) + bytes(range(256))) for kind in LINKS},
}
"""Every reader by name, and an input it takes."""


def read(name: str, data: bytes) -> None:
    """Give a reader anything. Whatever it raises but an error of our tree comes through."""
    with suppress(PresenceSyncError):
        READERS[name][0](data)
