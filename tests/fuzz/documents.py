"""What the services really say, by operation: what fuzzing starts from. Shortened samples of their documents."""

from __future__ import annotations

import json

Document = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body of an answer."""
XML = (("content-type", "application/vnd.microsoft.com.ucwa+xml"),)
JSON = (("content-type", "application/json"),)
PRESENCE = {"id": "a", "availability": "Busy", "activity": "InACall", "statusMessage": {"message": {"content": "x"}}, "sequenceNumber": "0001", "outOfOfficeSettings": {"isOutOfOffice": True}}  # fmt: skip
EVENTS = {"_links": {"self": {"href": "/e?ack=1"}, "next": {"href": "/e?ack=2"}}, "sender": [{"rel": "me", "href": "/me", "events": [{"link": {"rel": "presence", "href": "/me/presence"}, "type": "updated", "_embedded": {"presence": {"rel": "presence", "availability": "Online"}}}]}]}  # fmt: skip
XML_RESOURCE = b'<?xml version="1.0"?><resource rel="presence" href="/p" xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa"><property name="availability">Online</property></resource>'  # fmt: skip
XML_EVENTS = b'<events href="/e?ack=1" xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa"><link rel="next" href="/e?ack=2"/><sender rel="me" href="/me"><updated rel="presence" href="/me/presence"/></sender></events>'  # fmt: skip
FRAME = {"id": "1", "sequence": 7, "result": {"data": {"method": "ContactsStateChanged", "contacts": [{"contactId": "sip:a@b", "presence": "busy"}], "state": "COMPLETE"}}, "jsonrpc": "2.0"}  # fmt: skip
TOML = b'[services.teams]\ntype = "graph"\ntenant = "contoso.com"\nclient_id = "22553876-f5ab-4529-bffb-cfe50aa89f87"\nclient_secret = { env = "S" }\n[[account]]\nname = "alice"\nlinks.teams = { user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3" }\n'  # fmt: skip


def text(value: object) -> bytes:
    """A document as JSON."""
    return json.dumps(value).encode()


def _json(value: object, status: int = 200) -> Document:
    return status, list(JSON), text(value)


def _xml(text: str, status: int = 200) -> Document:
    space = ' xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa"'
    return status, list(XML), text.replace(" ", f"{space} ", 1).encode()


ME = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3"
EMPTY: Document = (200, [], b"")
CLAIMS = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
GRAPH: dict[str, list[Document]] = {
    "token": [
        _json({"access_token": "t", "expires_in": 3599, "refresh_in": 1800}),
        _json({"error": "invalid_client", "error_codes": [7000215]}, 401),
    ],
    "read": [
        _json({**PRESENCE, "id": ME}),
        (401, [("www-authenticate", CLAIMS)], b""),
        _json({"error": {"code": "NotFound"}}, 404),
    ],
    "sweep": [_json({"value": [{**PRESENCE, "id": ME}, PRESENCE]})],
    "batch": [
        _json({"responses": [{"id": f"r{n}", "status": 200, "headers": {"a": "b"}, "body": {}} for n in (1, 0)]}),
    ],
    "setPresence": [EMPTY, _json({"error": {"code": "Forbidden", "message": "x"}}, 403)],
}

RECORD = {"category": "BUSY", "userId": 7, "timestamp": 1_700_000_000_000}
SYMPHONY: dict[str, list[Document]] = {
    "login": [_json({"name": "sessionToken", "token": "t"})],
    "login_user": [_json({"sessionToken": "t", "token": "u"})],
    "read": [_json(RECORD), _json({"code": 404, "message": "x"}, 404)],
    "write": [_json(RECORD), _json({"code": 403, "message": "x"}, 403)],
    "list": [_json([RECORD, {"category": "AWAY", "userId": 3}])],
    "register": [EMPTY],
}


def _frames() -> list[Document]:
    """Completions, acceptances and failures of a call, whose id is put in where `CALL` stands, and events."""
    data = {"state": "COMPLETE", "sessionTimeout": 86400, "authDataType": "x"}
    done = {"id": "CALL", "sequence": 3, "result": {"data": data}, "jsonrpc": "2.0"}
    answers: list[Document] = [_json(done), _json({"id": "CALL", "result": {}}), _json(FRAME)]
    contact = {"contactId": "sip:alice@contoso.com", "presence": "busy", "personalMessage": "x"}
    told = {"method": "GetContactsState", "contacts": [contact], "state": "COMPLETE"}
    answers.append(_json({"sequence": "20", "result": {"data": told}, "jsonrpc": "2.0"}))
    codes = (1017, 1008, -32601, 1020, 1025, 1026, -32602, 1005, 1006, 1013, 77)
    answers += [_json({"id": "CALL", "error": {"code": code}}) for code in codes]
    return answers


BEMS: dict[str, list[Document]] = {
    "open": [(101, [], b"")],
    "connect": [(101, [("set-cookie", "JSESSIONID=1; Path=/")], b"")],
    "frame": _frames(),
    "call": _frames(),
    "poll": [*_frames(), (204, [], b"")],
    "subscribe": [_json({"sequence": 5, "contacts": [{"id": "alice@contoso.com", "availability": 2}]})],
    "lookup": [_json({"sequence": "6", "contacts": [{"id": "alice@contoso.com", "availability": -1}]})],
}

POOL = "https://pool-a.contoso.com/ucwa/v1/applications"
CHALLENGE = 'MsRtcOAuth href="https://pool-a.contoso.com/token",grant_type="password,urn:microsoft.rtc:windows"'
ME_LINKS = {
    rel: {"href": f"/ucwa/v1/applications/1/me/{rel}"}
    for rel in ("presence", "note", "reportMyActivity", "makeMeAvailable")
}
APPLICATION = {
    "rel": "application",
    "_links": {
        "self": {"href": "/ucwa/v1/applications/1"},
        "events": {"href": "/ucwa/v1/applications/1/events?ack=1"},
        "batch": {"href": "/ucwa/v1/applications/1/batch"},
    },
    "_embedded": {
        "me": {"rel": "me", "_links": ME_LINKS},
        "people": {
            "rel": "people",
            "_links": {"presenceSubscriptions": {"href": "/ucwa/v1/applications/1/presenceSubscriptions"}},
        },
    },
}
AVAILABLE = {
    **APPLICATION,
    "_embedded": {
        "me": {"rel": "me", "_links": {rel: link for rel, link in ME_LINKS.items() if rel != "makeMeAvailable"}}
    },
}
SHOWN = {"rel": "presence", "availability": "Online", "_links": {"self": {"href": "/p"}}}
LOST = {"code": "NotFound", "subcode": "ApplicationNotFound", "message": "x"}
LURKING = {"code": "Conflict", "subcode": "MakeMeAvailableRequired"}
PART = b"--b\r\nContent-Type: application/http; msgtype=response\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
TOLD = (
    ("me", "presence", "deleted"),
    ("me", "note", "updated"),
    ("me", "me", "updated"),
    ("people", "contactPresence", "updated"),
    ("people", "presenceSubscription", "deleted"),
)
MANY_EVENTS = {
    "_links": {"next": {"href": "/e?ack=3"}},
    "sender": [
        {"rel": who, "href": "/x", "events": [{"link": {"rel": rel, "href": f"/{rel}"}, "type": how}]}
        for who, rel, how in TOLD
    ],
}
UCWA: dict[str, list[Document]] = {
    "discover": [
        _json({"_links": {"applications": {"href": POOL}}}),
        _json({"_links": {"user": {"href": "https://pool-a.contoso.com/user"}}}),
        (401, [("www-authenticate", CHALLENGE)], b""),
        _json({"_links": {"redirect": {"href": "https://lyncdiscover.contoso.com/"}}}),
    ],
    "challenge": [(401, [("www-authenticate", CHALLENGE)], b"")],
    "token": [_json({"access_token": "t", "expires_in": 28800}), _json({"error": "invalid_grant"}, 400)],
    "create": [_json(APPLICATION, 201), _json(AVAILABLE, 201)],
    "application": [_json(AVAILABLE), _json(APPLICATION), _json(LOST, 404)],
    "available": [
        (204, [], b""),
        _json({"code": "Conflict", "subcode": "AlreadyExists"}, 409),
        _json({"code": "Forbidden"}, 403),
    ],
    "events": [
        _json(EVENTS),
        _json(MANY_EVENTS),
        _json({"_links": {"resync": {"href": "/e?ack=9"}}}),
        _json({"_links": {"resume": {"href": "/e?ack=9"}}}),
        _json({"_links": {}}),
        _json(LOST, 404),
        _json(LURKING, 409),
        _json({"code": "Conflict", "subcode": "PGetReplaced"}, 409),
        _json({"code": "Gone", "subcode": "CannotRedirect"}, 410),
        _json({"code": "BadRequest"}, 400),
        _json({"code": "ServiceFailure"}, 500),
        (502, [], b""),
    ],
    "presence": [_json(SHOWN), _json(LURKING, 409)],
    "note": [_json({"rel": "note", "message": "x", "type": "Personal"})],
    "batch": [
        (
            200,
            [("content-type", 'multipart/batching; boundary="b"')],
            PART + b'{"rel": "note"}\r\n' + PART + b'{"rel": "presence"}\r\n--b--\r\n',
        )
    ],
    "publish": [(204, [], b""), _json(LURKING, 409)],
    "subscribe": [_json({"rel": "presenceSubscription", "_links": {"self": {"href": "/s"}}}, 201)],
    "extend": [EMPTY],
    "activity": [(204, [], b"")],
    "sign out": [(204, [], b"")],
}
UCWA_XML: dict[str, list[Document]] = {
    **UCWA,
    "create": [
        _xml(
            '<resource rel="application" href="/ucwa/v1/applications/1"><link rel="events" href="/e?ack=1"/>'
            '<resource rel="me" href="/me"><link rel="presence" href="/p"/><link rel="note" href="/n"/></resource>'
            '<resource rel="people" href="/o"><link rel="presenceSubscriptions" href="/s"/></resource></resource>'
        )
    ],
    "events": [(200, list(XML), XML_EVENTS)],
    "presence": [_xml('<resource rel="presence" href="/p"><property name="availability">Busy</property></resource>')],
    "application": [
        _xml('<reason message="x"><code>NotFound</code><subcode>ApplicationNotFound</subcode></reason>', 404)
    ],
}
