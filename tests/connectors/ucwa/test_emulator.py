"""The emulated deployment by itself: what it refuses, how it is steered, and that one loopback port can be all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
import uvicorn

from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.ucwa.emulator import UcwaEmulator
from presence_syncd.connectors.ucwa.emulator.documents import _property
from tests.connectors.ucwa.bench import PASSWORD, SIP, Bench, started

BASE = "http://127.0.0.1"
APPS = "/ucwa/oauth/v1/applications"
NEW = {"userAgent": "x", "endpointId": "e", "culture": "en-US"}


class Client:
    """A signed-in HTTP client without any of our protocol code."""

    def __init__(self, emulator: UcwaEmulator) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url=BASE)

    async def sign_in(self, password: str = PASSWORD, sip: str = SIP) -> httpx.Response:
        form = {"grant_type": "password", "username": sip, "password": password}
        answer = await self.http.post("/WebTicket/oauthtoken", data=form)
        self.http.headers["authorization"] = f"Bearer {answer.json().get('access_token')}"
        return answer

    async def create(self, **values: Any) -> httpx.Response:
        return await self.http.post(APPS, json={**NEW, **values})


async def client(**options: Any) -> tuple[UcwaEmulator, Client]:
    emulator = UcwaEmulator(base_url=BASE, **options)
    emulator.add_user(SIP, PASSWORD)
    one = Client(emulator)
    await one.sign_in()
    return emulator, one


async def test_who_has_no_token_is_challenged() -> None:
    _, one = await client()
    del one.http.headers["authorization"]
    for path in (
        APPS,
        f"{APPS}/101",
        f"{APPS}/101/me/presence",
        "/Autodiscover/AutodiscoverService.svc/root/oauth/user",
    ):
        answer = await one.http.get(path)
        assert answer.status_code == 401
        assert "MsRtcOAuth" in answer.headers["www-authenticate"]
    assert (await one.http.post(APPS)).status_code == 401
    assert (await one.http.delete(f"{APPS}/1")).status_code == 401


async def test_the_token_service_refuses_what_it_does_not_know() -> None:
    emulator, one = await client()
    assert (await one.sign_in("wrong")).json() == {"error": "invalid_grant"}
    emulator.grants = "urn:microsoft.rtc:windows"
    assert (await one.sign_in()).json() == {"error": "unsupported_grant_type"}


@pytest.mark.parametrize("wrong", [{"culture": ""}, {"endpointId": "x" * 101}, {"userAgent": None}])
async def test_an_application_needs_its_three_names(wrong: dict[str, Any]) -> None:
    _, one = await client()
    wrong = {name: value for name, value in wrong.items() if value is not None} or {"userAgent": ""}
    assert (await one.create(**wrong)).json()["subcode"] == "ParameterValidationFailure"
    assert (await one.http.get(APPS)).status_code == 400
    assert (await one.http.post(APPS, content=b"{")).json()["subcode"] == "DeserializationFailure"
    xml = {"content-type": "application/xml"}
    assert (await one.http.post(APPS, content=b"<a", headers=xml)).json()["subcode"] == "DeserializationFailure"


async def test_the_oldest_application_makes_room_for_one_too_many() -> None:
    emulator, one = await client(max_applications=2)
    for name in "abc":
        assert (await one.create(endpointId=name)).status_code == 201
        emulator.clock.advance(1)
    assert (await one.http.get(f"{APPS}/101")).json()["subcode"] == "TooManyApplications"
    assert (await one.create(endpointId="c")).status_code == 200
    assert (await one.create(endpointId="c", instanceId="2")).status_code == 201
    assert (await one.http.delete(f"{APPS}/103?instanceId=2")).status_code == 204
    assert (await one.http.get(f"{APPS}/103")).status_code == 200
    assert (await one.http.delete(f"{APPS}/103")).status_code == 204
    assert (await one.http.get(f"{APPS}/103")).json()["subcode"] == "ApplicationNotFound"


async def test_a_lurker_must_become_available_first_and_can_only_once() -> None:
    emulator, one = await client()
    await one.create()
    me = f"{APPS}/101/me"
    gets, sets = (("GET", path) for path in ("presence", "note")), (("POST", path) for path in ("presence", "note"))
    for method, path in [*gets, *sets, ("POST", "reportMyActivity")]:
        assert (await one.http.request(method, f"{me}/{path}")).json()["subcode"] == "MakeMeAvailableRequired"
    assert (await one.http.post(f"{me}/makeMeAvailable", json={"supportedModalities": ["Video"]})).status_code == 403
    assert (await one.http.post(f"{me}/makeMeAvailable", json={"SignInAs": "Busy"})).status_code == 204
    assert (await one.http.post(f"{me}/makeMeAvailable")).json()["subcode"] == "AlreadyExists"
    assert emulator.shown(SIP) == "Busy"
    assert (await one.http.post(f"{me}/presence", json={"availability": "Offline"})).status_code == 400
    assert (await one.http.post(f"{me}/presence", content=b"{")).status_code == 400
    assert (await one.http.post(f"{me}/presence", json={"availability": "Offwork"})).status_code == 204
    assert (await one.http.get(f"{me}/presence")).json()["availability"] == "Away"
    assert emulator.writes == [(SIP, "Offwork")]


async def test_idle_applications_fade_and_end() -> None:
    emulator, one = await client(poll_idle=1e9)
    await one.create()
    await one.http.post(f"{APPS}/101/me/makeMeAvailable", json={"signInAs": "Busy"})
    emulator.clock.advance(301)
    assert emulator.shown(SIP) == "IdleBusy"
    await one.http.post(f"{APPS}/101/me/presence", json={})
    assert emulator.shown(SIP) == "IdleOnline"
    emulator.clock.advance(300)
    assert emulator.shown(SIP) == "Away"
    await one.http.post(f"{APPS}/101/me/reportMyActivity")
    assert emulator.shown(SIP) == "Online"
    emulator.clock.advance(7201)
    assert (await one.http.get(f"{APPS}/101")).json()["subcode"] in (
        "InactiveApplicationExpired",
        "ApplicationNotFound",
    )
    assert emulator.shown(SIP) == "Offline"


async def test_what_is_due_for_one_happens_when_another_asks() -> None:
    emulator, one = await client(poll_seconds=20)
    events = (await one.create()).json()["_links"]["events"]["href"]
    await one.http.post(f"{APPS}/101/me/makeMeAvailable", json={"signInAs": "Busy"})
    await one.http.get(events)
    emulator.add_user("bob@contoso.com", PASSWORD)
    other = Client(emulator)
    await other.sign_in(sip="bob@contoso.com")
    await other.create()
    emulator.clock.advance(299)
    await other.http.get(f"{APPS}/102")
    assert sorted(emulator.applications) == ["101", "102"]
    assert emulator.people[SIP].told == "IdleBusy"
    emulator.clock.advance(10)
    await other.http.get(f"{APPS}/102")
    assert sorted(emulator.applications) == ["102"]
    assert emulator.people[SIP].told == "Offline"


async def test_a_poll_waits_for_news_and_its_page_is_kept_until_it_is_acknowledged() -> None:
    emulator, one = await client(poll_seconds=20)
    events = (await one.create()).json()["_links"]["events"]["href"]
    await one.http.post(f"{APPS}/101/me/makeMeAvailable")
    first = (await one.http.get(events)).json()
    assert (await one.http.get(events)).json() == first
    assert [e["type"] for s in first["sender"] for e in s["events"]] == ["updated", "added", "added", "updated"]
    started_at = anyio.current_time()
    second = (await one.http.get(first["_links"]["next"]["href"])).json()
    assert "sender" not in second
    assert anyio.current_time() - started_at == pytest.approx(20, abs=1)
    lost = (await one.http.get(events)).json()["_links"]
    assert lost["resync"]["href"] == first["_links"]["next"]["href"]
    assert (await one.http.get(f"{APPS}/101/events?ack=1&instanceId=other")).status_code == 404
    assert emulator.faults.count("GET", "/events") == 5


async def test_a_second_poll_replaces_the_first_and_an_end_ends_it() -> None:
    emulator, one = await client()
    events = (await one.create()).json()["_links"]["events"]["href"]
    answers: list[httpx.Response] = []

    async def poll() -> None:
        answers.append(await one.http.get(events))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poll)
        await anyio.sleep(1)
        tasks.start_soon(poll)
        await anyio.sleep(1)
        emulator.end_applications("InactiveApplicationExpired")
    assert [a.json()["subcode"] for a in answers] == ["PGetReplaced", "InactiveApplicationExpired"]


async def test_subscriptions_have_their_limits() -> None:
    emulator, one = await client()
    await one.create()
    path = f"{APPS}/101/people/presenceSubscriptions"
    assert (await one.http.post(path, json={"duration": 5, "uris": [SIP]})).status_code == 400
    assert (await one.http.post(path, json={"duration": 30, "uris": ["sip:bob@contoso.com"]})).status_code == 403
    assert (await one.http.post(path, json={"duration": 30, "uris": [SIP]})).status_code == 201
    assert (await one.http.post(f"{path}/s1?duration=30")).status_code == 200
    emulator.clock.advance(1801)
    assert (await one.http.post(f"{path}/s1?duration=30")).status_code == 404
    for below in ("presenceSubscriptions", "presenceSubscriptions/s1", f"{SIP}/presence"):
        method = "GET" if below.endswith("presence") else "POST"
        assert (await one.http.request(method, f"{APPS}/999/people/{below}")).status_code == 404
    for below in ("events", "batch", "me/makeMeAvailable"):
        method = "GET" if below == "events" else "POST"
        assert (await one.http.request(method, f"{APPS}/999/{below}")).status_code == 404


async def test_a_token_is_good_at_its_own_pool_only() -> None:
    emulator = UcwaEmulator()
    emulator.add_user(SIP, PASSWORD, "pool-b")
    one = Client(emulator)
    one.http.base_url = httpx.URL("https://pool-a.contoso.com")
    await one.sign_in()
    assert (await one.create()).status_code == 502
    assert (await one.http.get(f"{APPS}/1")).status_code == 502
    other = await one.http.post(f"https://pool-b.contoso.com{APPS}", json=NEW)
    assert other.status_code == 500
    assert other.headers["x-ms-diagnostics"].startswith("28032;")


async def test_errors_and_lists_are_written_in_xml_too() -> None:
    _, one = await client()
    one.http.headers["accept"] = "application/xml"
    answer = await one.http.post(APPS, json={})
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert "<subcode>ParameterValidationFailure</subcode>" in answer.text
    xml = '<input xmlns="x"><property name="culture">en</property><property name="endpointId">e</property><property name="userAgent">u</property></input>'  # noqa: E501
    made = await one.http.post(APPS, content=xml, headers={"content-type": "application/xml"})
    assert made.status_code == 201
    assert '<link rel="batch"' in made.text
    lists = '<input><propertyList name="supportedModalities"><item>Video</item></propertyList></input>'
    answer = await one.http.post(f"{APPS}/101/me/makeMeAvailable", content=lists, headers={"content-type": "text/xml"})
    assert answer.status_code == 403
    assert _property("l", ["<", 2]) == '<propertyList name="l"><item>&lt;</item><item>2</item></propertyList>'


async def test_activity_must_be_reported_or_the_application_ends() -> None:
    emulator, one = await client(poll_idle=1e9, activity_idle=600)
    events = (await one.create()).json()["_links"]["events"]["href"]
    await one.http.post(f"{APPS}/101/me/makeMeAvailable")
    await one.http.get(events)
    emulator.clock.advance(601)
    assert (await one.http.get(f"{APPS}/101")).json()["subcode"] == "InactiveApplicationExpired"


async def test_people_are_steered_over_http() -> None:
    _, one = await client()
    answer = await one.http.post(f"/_emulator/people/{SIP}", json={"availability": "IdleBusy"})
    assert answer.json() == {"shown": "IdleBusy"}
    assert (await one.http.get("/_emulator/people")).json() == {SIP: {"shown": "IdleBusy", "note": ""}}
    assert (await one.http.post(f"/_emulator/people/{SIP}", json={"availability": None})).json() == {"shown": "Offline"}
    assert (await one.http.post(f"/_emulator/people/{SIP}", json={"availability": "Offline"})).status_code == 400
    assert (await one.http.post("/_emulator/people/bob@contoso.com", json={})).status_code == 404


async def test_a_pushed_clock_is_seen_by_a_poll_that_waits() -> None:
    async with started() as b:
        b.emulator.clock.advance(400)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(20)
        assert b.last == "Busy"


class TestOverLoopback:
    """Real sockets, real time, one port for all hosts, timers shortened as a demo does."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_both_directions_over_real_sockets(self) -> None:
        emulator = UcwaEmulator(clock=EmulatedClock(), medium=0.1, poll_seconds=1.0)
        config = uvicorn.Config(emulator.app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            await until(lambda: server.started)
            port = server.servers[0].sockets[0].getsockname()[1]
            emulator.base_url = f"http://127.0.0.1:{port}"
            emulator.add_user(SIP, PASSWORD)
            emulator.client(SIP, "Busy")
            b = Bench(tasks, emulator, {"discovery": emulator.base_url}, {})
            await b.net.aclose()
            b.net.carrier = lambda limits: httpx.AsyncHTTPTransport(limits=limits)  # type: ignore[method-assign]
            b.boot()
            b.start()
            await until(lambda: b.last == "Busy" and b.state == "listen")
            emulator.client(SIP, "Away")
            await until(lambda: b.last == "Away")
            await b.publish("DoNotDisturb")
            assert emulator.shown(SIP) == "DoNotDisturb"
            await until(lambda: b.last == "DoNotDisturb")
            await b.kill()
            await b.run(b.link.sign_out())
            assert emulator.applications == {}
            await b.aclose()
            server.should_exit = True


async def until(true: Callable[[], bool]) -> None:
    """Wait a few real seconds for something to become true."""
    with anyio.fail_after(8):
        while not true():  # noqa: ASYNC110  # what is waited for happens in another program's place
            await anyio.sleep(0.02)
