"""The readers, each as a function of bytes, and what real input looks like, to start from.

The one rule: a reader may refuse (`PresenceSyncError`); whatever else it raises is a bug.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from presence_syncd.config import load
from presence_syncd.connectors.bems.events import contacts_in
from presence_syncd.connectors.bems.frames import Frames
from presence_syncd.connectors.bems.jsonrpc import read_answer
from presence_syncd.connectors.bems.wire import presence_name, status_of
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal, retry_after
from presence_syncd.connectors.graph import auth
from presence_syncd.connectors.graph.batch import batch
from presence_syncd.connectors.graph.reading import newest
from presence_syncd.connectors.graph.settings import GraphSettings
from presence_syncd.connectors.symphony.auth import session_token
from presence_syncd.connectors.symphony.wire import record
from presence_syncd.connectors.ucwa.protocol.challenge import challenge_of
from presence_syncd.connectors.ucwa.protocol.channel import read_page
from presence_syncd.connectors.ucwa.protocol.problem import problem_of
from presence_syncd.connectors.ucwa.protocol.resource import read_resource
from presence_syncd.connectors.ucwa.wire import status_of as ucwa_status
from presence_syncd.errors import PresenceSyncError

Reader = Callable[[bytes], None]
XML = (("content-type", "application/vnd.microsoft.com.ucwa+xml"),)
JSON = (("content-type", "application/json"),)
GRAPH = GraphSettings(
    type="graph",
    tenant="contoso.com",
    client_id="22553876-f5ab-4529-bffb-cfe50aa89f87",
    client_secret={"env": "SECRET"},
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
    shown = record(Reply(200, JSON, data).json())
    _ = (shown.status, shown.order)


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


def _retry_after(data: bytes) -> None:
    retry_after(Reply(429, (("retry-after", data.decode("latin-1")), ("date", "Sat, 21 Nov 2026 06:00:00 GMT"))))


def _toml(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "presence-syncd.toml")
        path.write_bytes(data)
        load(path)


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


PRESENCE = {"id": "a", "availability": "Busy", "activity": "InACall", "statusMessage": {"message": {"content": "x"}}, "sequenceNumber": "0001", "outOfOfficeSettings": {"isOutOfOffice": True}}  # fmt: skip
EVENTS = {"_links": {"self": {"href": "/e?ack=1"}, "next": {"href": "/e?ack=2"}}, "sender": [{"rel": "me", "href": "/me", "events": [{"link": {"rel": "presence", "href": "/me/presence"}, "type": "updated", "_embedded": {"presence": {"rel": "presence", "availability": "Online"}}}]}]}  # fmt: skip
XML_RESOURCE = b'<?xml version="1.0"?><resource rel="presence" href="/p" xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa"><property name="availability">Online</property></resource>'  # fmt: skip
XML_EVENTS = b'<events href="/e?ack=1" xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa"><link rel="next" href="/e?ack=2"/><sender rel="me" href="/me"><updated rel="presence" href="/me/presence"/></sender></events>'  # fmt: skip
FRAME = {"id": "1", "sequence": 7, "result": {"data": {"method": "ContactsStateChanged", "contacts": [{"contactId": "sip:a@b", "presence": "busy"}], "state": "COMPLETE"}}, "jsonrpc": "2.0"}  # fmt: skip
TOML = b'[services.teams]\ntype = "graph"\ntenant = "contoso.com"\nclient_id = "22553876-f5ab-4529-bffb-cfe50aa89f87"\nclient_secret = { env = "S" }\n[[account]]\nname = "alice"\nlinks.teams = { user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3" }\n'  # fmt: skip

READERS: dict[str, tuple[Reader, bytes]] = {
    "graph-presence": (_graph_presence, _text({"value": [PRESENCE]})),
    "graph-batch": (_graph_batch, _text({"responses": [{"id": "r0", "status": 200, "headers": {}, "body": PRESENCE}]})),
    "graph-token": (_graph_token, _text({"access_token": "t", "expires_in": 3599, "error": "x", "error_codes": [1]})),
    "graph-challenge": (_graph_challenge, b'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'),
    "symphony-record": (_symphony_record, _text({"category": "BUSY", "userId": 1, "timestamp": 1})),
    "symphony-session": (_symphony_session, _text({"name": "sessionToken", "token": "t"})),
    "ucwa-json": (_ucwa_json, _text({"rel": "presence", "availability": "Online", "_links": {"self": {"href": "/p"}}})),
    "ucwa-xml": (_ucwa_xml, XML_RESOURCE),
    "ucwa-events-json": (_ucwa_events_json, _text(EVENTS)),
    "ucwa-events-xml": (_ucwa_events_xml, XML_EVENTS),
    "ucwa-problem": (_ucwa_problem, _text({"code": "Conflict", "subcode": "AlreadyExists"})),
    "ucwa-challenge": (
        _ucwa_challenge,
        b'MsRtcOAuth href="https://a/b",grant_type="password,urn:microsoft.rtc:windows"',
    ),
    "bems-frame": (_bems_frame, _text(FRAME)),
    "retry-after": (_retry_after, b"120"),
    "toml": (_toml, TOML),
}
"""Every reader by name, and an input it takes."""


def read(name: str, data: bytes) -> None:
    """Give a reader anything. Whatever it raises but an error of our tree comes through."""
    with suppress(PresenceSyncError):
        READERS[name][0](data)
