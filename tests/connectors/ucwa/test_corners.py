"""Answers nobody should give: each has its meaning, and none is followed into a loop."""

from __future__ import annotations

import json
import random
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply, Request, doubled
from presence_syncd.connectors.ucwa.protocol.application import Identity, create, make_available
from presence_syncd.connectors.ucwa.protocol.channel import Event, Page
from presence_syncd.connectors.ucwa.protocol.door import Door
from presence_syncd.connectors.ucwa.protocol.history import Guard
from presence_syncd.connectors.ucwa.protocol.listening import Trouble
from presence_syncd.connectors.ucwa.protocol.presence import read_both, subscribe, write_note, write_presence
from presence_syncd.connectors.ucwa.protocol.problem import Forbidden, NotAvailable
from presence_syncd.connectors.ucwa.protocol.session import Session
from presence_syncd.connectors.ucwa.protocol.trust import Trust, Untrusted, within
from presence_syncd.connectors.ucwa.settings import Format, Settings, UcwaLinkSettings
from presence_syncd.errors import AuthRejected, RemoteProtocolError, ServiceError, Unavailable
from tests.connectors.ucwa.bench import JSON, SIP, bench, problem, started

POOL = "https://pool-a.contoso.com:443"


def reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, (("content-type", "application/json"),), json.dumps(value).encode())


def finish(flow: Flow[Any], *replies: Reply) -> Any:
    """Drive a flow to its end with these replies to its requests."""
    answers, answer = list(replies), None
    try:
        while True:
            step = flow.send(answer)
            answer = answers.pop(0) if isinstance(step, Request) else None
    except StopIteration as end:
        assert not answers
        return end.value


def session(**links: str) -> Session:
    return Session(POOL, "realm", f"{POOL}/a/1", Format.JSON, links=links)


def test_an_application_without_its_links_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        finish(
            create(f"{POOL}/a", "r", Settings(), Identity("e", "i")), reply({"_links": {"self": {"href": "/a/1"}}}, 201)
        )


def test_an_application_that_offers_no_way_to_be_available_is_asked_again_later() -> None:
    with pytest.raises(Unavailable):
        finish(make_available(session(), "Busy", Settings()), reply({"_links": {}}))


def test_an_application_that_became_available_meanwhile_is_left_so() -> None:
    me = {"me": {"_links": {"presence": {"href": "/p"}}}}
    one = session()
    finish(make_available(one, "Busy", Settings()), reply({"_embedded": me}))
    assert one.available


def test_a_claim_that_is_forbidden_without_modalities_is_forbidden() -> None:
    with pytest.raises(Forbidden):
        finish(make_available(session(makeMeAvailable="/m"), "Busy", Settings()), reply({"code": "Forbidden"}, 403))


async def test_a_user_page_that_leads_nowhere_is_trouble() -> None:
    async with bench() as b:
        b.emulator.faults.add(JSON({"_links": {}}, path="/user"))
        b.start()
        await anyio.sleep(30)
        assert isinstance(b.errors[0], RemoteProtocolError)
        assert b.last == "Online"


def test_a_page_where_a_challenge_is_due_is_trouble() -> None:
    door = Door("alice", Settings(), UcwaLinkSettings(sip=SIP, password={"env": "P"}), {})
    realm = door.realm_of(f"{POOL}/a")
    with pytest.raises(RemoteProtocolError):
        finish(door.token(realm, None), reply({}))
    refused = Reply(500, (("x-ms-diagnostics", "28032;x"),))
    with pytest.raises(ServiceError):
        finish(door.token(realm, refused), Reply(401))


def test_a_link_with_an_impossible_port_is_refused() -> None:
    with pytest.raises(Untrusted):
        within(POOL, "https://pool-a.contoso.com:99999/")


def test_events_about_other_things_ask_for_nothing() -> None:
    one = session()
    one.take(
        Page((Event("people", "deleted", "presenceSubscription", "/s"), Event("x", "updated", "y", "/z")), "/n"), 1.0
    )
    assert one.inbox.resubscribe
    assert not one.inbox.has_work
    one.take(Page((Event("me", "updated", "me", "/me"),), "/n"), 1.0)
    assert one.inbox.refresh


async def test_a_lurker_that_hears_of_itself_looks_at_its_links() -> None:
    async with started(link={"presence_source": "lurker", "direction": "read"}) as b:
        (application,) = b.emulator.applications.values()
        await b.net.cut()
        event = {"link": {"rel": "me", "href": "me"}, "type": "updated"}
        sender = {"rel": "me", "href": "me", "events": [event]}
        looked = len(b.recorder.of("GET", application.id))
        channel = next(iter(application.channels.values()))
        here = f"/ucwa/oauth/v1/applications/{application.id}/events?ack={channel.ack}&instanceId={channel.instance}"
        b.emulator.faults.add(JSON({"_links": {"next": {"href": here}}, "sender": [sender]}, path="/events"))
        await anyio.sleep(10)
        assert len(b.recorder.of("GET", application.id)) == looked + 1


async def test_availability_lost_while_idle_is_not_claimed_again() -> None:
    async with started() as b:
        b.emulator.client(SIP, "IdleOnline")
        b.present = False
        await anyio.sleep(700)
        assert b.last == "IdleOnline"
        for application in b.emulator.applications.values():
            application.available = False
        b.link.membership.session.inbox.read_all(b.link.membership.at)  # type: ignore[union-attr]  # it is signed in
        b.wake()
        await anyio.sleep(30)
        assert len(b.recorder.of("POST", "makeMeAvailable")) == 1


async def test_a_reading_gives_up_where_nothing_is_ever_shown() -> None:
    async with bench() as b:
        b.emulator.faults.add(JSON({"_links": {"next": {"href": "/ucwa/x/events"}}}, path="/events", times=0))
        with pytest.raises(Unavailable):
            await b.run(b.link.read())


async def test_an_application_that_cannot_be_looked_at_is_not_given_up() -> None:
    async with started() as b:
        b.emulator.faults.add(
            problem(500, "ServiceFailure", "None", path="/events", times=5), Answer(503, path=r"applications/\d+$")
        )
        await b.net.cut()
        await anyio.sleep(250)
        assert len(b.recorder.of("POST", "/applications")) == 1
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


def test_an_envelope_without_answers_is_read_one_by_one() -> None:
    one = session(note="/n", presence="/p", batch="/b")
    one.available = True
    seen = finish(read_both(one), reply({}), reply({"message": "m"}), reply({"availability": "Busy"}))
    assert (seen.raw, seen.note) == ("Busy", "m")
    assert not one.batching


def test_what_the_application_does_not_offer_is_not_asked_for() -> None:
    finish(write_note(session(), "x"))
    with pytest.raises(NotAvailable):
        finish(write_presence(session(), "Busy"))
    one = session()
    finish(subscribe(one, SIP))
    assert one.blind


def test_a_page_of_something_between_is_no_yes_to_a_presence_or_a_note() -> None:
    """It would be taken for written, though the server has never heard of it."""
    page = Reply(200, (("content-type", "text/html"),), b"<html>sign in to the guest network</html>")
    one = session(presence="/a/1/presence", note="/a/1/note")
    for flow in (write_presence(one, "Busy"), write_presence(one, None), write_note(one, "x")):
        with pytest.raises(RemoteProtocolError):
            finish(flow, page)
    for flow in (write_presence(one, "Busy"), write_note(one, "x")):
        finish(flow, Reply(204))


def test_back_offs_double_to_their_longest_and_guards_forget() -> None:
    assert [doubled((5.0, 300.0), n) for n in (0, 1, 5, 6, 100)] == [5, 10, 160, 300, 300]
    guard = Guard(2, 10)
    assert [guard.allow(at) for at in (0, 1, 2, 9.9, 10, 10.5, 11)] == [True, True, False, False, True, False, True]


def test_a08_a_refused_password_is_not_sent_to_any_authority_again() -> None:
    door = Door("alice", Settings(), UcwaLinkSettings(sip=SIP, password={"env": "P"}), {})
    challenge = Reply(401, (("www-authenticate", 'MsRtcOAuth href="/t",grant_type="password"'),))
    first = door.token(door.realm_of(f"{POOL}/a"), challenge)
    next(first)
    first.send(Secret("wrong"))
    with pytest.raises(AuthRejected):
        first.send(reply({"error": "invalid_grant"}, 400))
    for url in (f"{POOL}/a", "https://pool-b.contoso.com/a"):
        again = door.token(door.realm_of(url), challenge)
        next(again)
        with pytest.raises(AuthRejected) as refused:
            again.send(Secret("wrong"))
        assert refused.value.retry_after is None
    changed = door.token(door.realm_of(f"{POOL}/a"), challenge)
    next(changed)
    assert isinstance(changed.send(Secret("right")), Request)


def test_a26_what_the_server_asks_to_wait_is_waited_and_else_a_jittered_back_off() -> None:
    source = random.Random(1)
    trouble = Trouble()
    assert trouble.wait_after(Unavailable("x", retry_after=120.0), answered=True, source=source) == 120
    waits = [trouble.wait_after(Unavailable("x"), answered=True, source=source) for _ in range(30)]
    assert max(waits) <= 60
    assert len(set(waits)) == 30
    trouble = Trouble()
    assert max(trouble.wait_after(Unavailable("x"), answered=False, source=source) for _ in range(30)) <= 30
    assert trouble.unreached == 30


@pytest.mark.parametrize("host", ["pool-a.contoso.com", "contoso.com", "lyncdiscover.contoso.com:443"])
def test_a39_our_own_hosts_get_nothing_without_encryption_either(host: str) -> None:
    trust = Trust("contoso.com", ("127.0.0.1",))
    with pytest.raises(Untrusted, match="https"):
        trust.follow(f"https://{host}/", f"http://{host}/x", "link")
    with pytest.raises(Untrusted, match="https"):
        within(f"http://{host}", "/x")
    assert trust.follow("http://127.0.0.1:8080/", "/x", "link") == "http://127.0.0.1:8080/x"
    assert within("http://127.0.0.1:8080", "/x") == "http://127.0.0.1:8080/x"
