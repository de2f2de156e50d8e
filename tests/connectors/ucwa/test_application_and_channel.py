"""Cases A11-A31 and A36-A39 of the sheet: one application, and its event channel in every weather."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import anyio
import pytest
from starlette.middleware.gzip import GZipMiddleware

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Enter, Flow, Now, Remember, Reply, Request
from presence_syncd.connectors.ucwa.protocol.channel import with_timers
from presence_syncd.connectors.ucwa.protocol.history import RECREATE
from presence_syncd.errors import AuthRejected, Rejected, ServiceError, SessionExpired, Unavailable
from tests.connectors.ucwa.bench import JSON, SIP, Bench, bench, problem, started
from tests.connectors.ucwa.network import Impatient

TYPE = {"content-type": "application/json"}


def polls(b: Bench) -> list[Any]:
    return b.recorder.of("GET", "/events")


def created(b: Bench) -> int:
    return len(b.recorder.of("POST", "/applications"))


def channel(b: Bench) -> Any:
    (application,) = b.emulator.applications.values()
    return next(iter(application.channels.values()))


def here(b: Bench) -> str:
    """The link of the poll that waits now."""
    (application,) = b.emulator.applications.values()
    return f"/ucwa/oauth/v1/applications/{application.id}/events?ack={channel(b).ack}&instanceId={channel(b).instance}"


def by_hand(flow: Flow[Any], *replies: Reply) -> Request | None:
    """Drive a flow: steps that are no requests are answered with nothing, requests from `replies`; the next request."""
    answers = list(replies)
    answer: Any = None
    while True:
        step = flow.send(answer)
        answer = 0.0 if isinstance(step, Now) else None
        if isinstance(step, Request):
            if not answers:
                return step
            answer = answers.pop(0)


async def test_a11_an_application_that_is_available_already_is_used_as_it_is() -> None:
    async with bench() as b:
        b.link.membership.door.applications = "https://pool-a.contoso.com/ucwa/oauth/v1/applications"
        me = {"rel": "me", "_links": {"presence": {"href": "/a/1/me/presence"}, "self": {"href": "/a/1/me"}}}
        events = {"href": "/a/1/events?ack=17&instanceId=x"}
        body = {"_links": {"self": {"href": "/a/1"}, "events": events}, "_embedded": {"me": me}}
        request = by_hand(
            b.link.watch(), Reply(200, (("content-type", "application/json"),), json.dumps(body).encode())
        )
        assert request is not None
        assert request.url == "https://pool-a.contoso.com:443/a/1/events?ack=17&instanceId=x&timeout=180&medium=5"
        assert request.own_connection
        assert request.timeout == 225
        session = b.link.membership.session
        assert session is not None
        assert session.available
        follow = by_hand(b.link.follower.follow())
        assert follow is not None
        assert (follow.method, follow.url) == ("GET", "https://pool-a.contoso.com:443/a/1/me/presence")


def test_a_channel_link_keeps_its_own_query_letter_for_letter() -> None:
    assert with_timers("https://h/e?ack=1") == "https://h/e?ack=1&timeout=180&medium=5"
    assert (
        with_timers("https://h/e?a=%2F%20+&ack=2&timeout=900#x") == "https://h/e?a=%2F%20+&ack=2&timeout=180&medium=5"
    )
    assert with_timers("https://h/e") == "https://h/e?timeout=180&medium=5"


async def test_a12_being_available_already_is_success() -> None:
    async with bench() as b:
        b.emulator.faults.add(problem(409, "Conflict", "AlreadyExists", path="makeMeAvailable", apply=True))
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"
        assert b.errors == []
        assert len(b.recorder.of("POST", "makeMeAvailable")) == 1


async def test_a_modality_that_is_forbidden_is_left_out() -> None:
    async with bench(service={"modalities": ["Messaging"]}) as b:
        b.emulator.faults.add(problem(403, "Forbidden", "None", path="makeMeAvailable"))
        b.start()
        await anyio.sleep(30)
        (application,) = b.emulator.applications.values()
        assert (application.available, application.modalities) == (True, [])
        assert b.errors == []


def lose_availability(b: Bench) -> None:
    for application in b.emulator.applications.values():
        application.available = False
        application.person.endpoints.pop(application.endpoint, None)


async def test_a13_lost_availability_is_regained_and_the_write_repeated_once() -> None:
    async with started() as b:
        lose_availability(b)
        await b.publish("Busy")
        assert b.emulator.writes == [(SIP, "Busy")]
        assert len(b.recorder.of("POST", "makeMeAvailable")) == 2


async def test_a13_a_read_that_needs_availability_gets_it_once() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(409, "Conflict", "MakeMeAvailableRequired", method="GET", path="me/presence$"))
        lose_availability(b)
        b.emulator.faults.add(JSON(presence_event(b, own_presence(b)), path="/events"))
        await b.net.cut()
        await anyio.sleep(5)
        assert len(b.recorder.of("POST", "makeMeAvailable")) == 2
        assert b.last == "Online"


async def test_a13_availability_that_is_never_granted_is_not_asked_for_without_end() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(409, "Conflict", "MakeMeAvailableRequired", path="me/presence$", times=0))
        before = len(b.recorder.of("POST", "makeMeAvailable"))
        for _ in range(8):
            with pytest.raises(Unavailable):
                await b.publish("Busy")
            await anyio.sleep(30)
        assert len(b.recorder.of("POST", "makeMeAvailable")) - before <= 3


async def test_tries_to_become_available_that_do_not_come_through_are_not_counted_as_ended() -> None:
    """Else who had said something while the network was away was not heard by the server for a quarter of an hour."""
    async with started() as b:
        lose_availability(b)
        b.emulator.faults.add(Answer(503, path="makeMeAvailable", times=10))
        for _ in range(10):
            with pytest.raises(Unavailable, match="503"):
                await b.publish("Busy")
        await b.publish("Busy")
        assert b.emulator.shown(SIP) == "Busy"


async def test_a14_empty_answers_in_three_shapes_are_polled_again() -> None:
    async with started() as b:
        link = here(b)
        shapes: list[dict[str, Any]] = [{}, {"sender": []}, {"sender": None}]
        for sender in shapes:
            b.emulator.faults.add(JSON({"_links": {"next": {"href": link}}, **sender}, path="/events", delay=2))
        before = len(polls(b))
        await b.net.cut()
        await anyio.sleep(20)
        assert len(polls(b)) - before == 4
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(6)
        assert b.last == "Busy"
        assert b.errors == []


async def test_a15_a_server_that_answers_at_once_is_not_asked_at_full_speed() -> None:
    async with started() as b:
        b.emulator.faults.add(JSON({"_links": {"next": {"href": here(b)}}}, path="/events", times=0))
        before = len(polls(b))
        await b.net.cut()
        await anyio.sleep(600)
        assert 20 < len(polls(b)) - before < 120


def own_presence(b: Bench) -> str:
    """Where the application's own presence is read."""
    (application,) = b.emulator.applications
    return f"https://pool-a.contoso.com:443/ucwa/oauth/v1/applications/{application}/me/presence"


def presence_event(b: Bench, href: str, **more: Any) -> dict[str, Any]:
    event = {"link": {"rel": "presence", "href": href}, "type": "updated", **more}
    return {"_links": {"next": {"href": here(b)}}, "sender": [{"rel": "me", "href": "me", "events": [event]}]}


async def test_a16_link_only_and_embedded_events_say_the_same() -> None:
    async with started() as b:
        href = own_presence(b)
        reads = len(b.recorder.of("GET", "me/presence"))
        b.emulator.people[SIP].preferred = b.emulator.people[SIP].told = "Busy"
        b.emulator.faults.add(JSON(presence_event(b, href), path="/events"))
        embedded = {"presence": {"rel": "presence", "availability": "Busy", "_links": {"self": {"href": href}}}}
        b.emulator.faults.add(JSON(presence_event(b, href, _embedded=embedded), path="/events", delay=2))
        await b.net.cut()
        await anyio.sleep(1)
        linked = b.observed[-1]
        assert len(b.recorder.of("GET", "me/presence")) == reads + 1
        await anyio.sleep(3)
        assert len(b.recorder.of("GET", "me/presence")) == reads + 1
        assert (b.observed[-1].raw, b.observed[-1].status) == (linked.raw, linked.status)
        assert b.observed[-1] is not linked


async def test_a16_an_event_that_points_elsewhere_is_read_from_our_own_application() -> None:
    async with started() as b:
        b.emulator.people[SIP].preferred = b.emulator.people[SIP].told = "Busy"
        b.emulator.faults.add(JSON(presence_event(b, "https://evil.example/presence"), path="/events"))
        await b.net.cut()
        await anyio.sleep(3)
        assert b.last == "Busy"
        assert "evil.example" not in {host for host, _ in b.net.connects}


@pytest.mark.parametrize(("types", "raw"), [(["added", "deleted", "added"], "Busy"), (["added", "deleted"], "deleted")])
async def test_a17_events_of_one_sender_are_applied_in_their_order(types: list[str], raw: str) -> None:
    async with started() as b:
        b.emulator.people[SIP].preferred = b.emulator.people[SIP].told = "Busy"
        senders = [
            {"rel": "me", "href": "me", "events": [{"link": {"rel": "presence", "href": ""}, "type": t}]} for t in types
        ]
        b.observed.clear()
        b.emulator.faults.add(JSON({"_links": {"next": {"href": here(b)}}, "sender": senders}, path="/events"))
        await b.net.cut()
        await anyio.sleep(3)
        assert b.observed[0].raw == raw


async def test_a18_resync_is_followed_and_everything_read_again() -> None:
    async with started() as b:
        channel(b).ack += 7
        b.emulator.people[SIP].preferred = b.emulator.people[SIP].told = "Busy"
        await b.net.cut()
        await anyio.sleep(10)
        assert b.last == "Busy"
        b.emulator.client(SIP, "Away")
        await anyio.sleep(10)
        assert b.last == "Away"
        assert created(b) == 1
        walked = [state for state, _ in b.states]
        assert walked[walked.index("resync") :] == ["resync", "sync", "listen"]


async def test_a18_resync_inside_a_normal_answer_goes_before_next_and_subscribes_again() -> None:
    async with started(link={"presence_source": "lurker", "direction": "read"}) as b:
        page = {"_links": {"next": {"href": "/nowhere"}, "resync": {"href": here(b)}}, "sender": []}
        b.emulator.faults.add(JSON(page, path="/events"))
        await b.net.cut()
        await anyio.sleep(10)
        assert len(b.recorder.of("POST", "presenceSubscriptions")) == 2
        assert not b.recorder.of("GET", "nowhere")
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


async def test_a19_after_a_long_pause_resume_brings_parameters_and_subscriptions_back() -> None:
    async with started(link={"presence_source": "lurker", "direction": "read"}, poll_idle=3600.0) as b:
        (application,) = b.emulator.applications.values()
        application.subscriptions.clear()
        b.net.down = True
        await b.net.cut()
        await anyio.sleep(600)
        b.emulator.client(SIP, "DoNotDisturb")
        channel(b).resumes = True
        b.net.down = False
        await anyio.sleep(330)
        assert list(b.emulator.applications.values()) == [application]
        assert "recover" in {state for state, _ in b.states}
        assert ("resync", "the server had given us up") in b.states
        assert b.states[-1] == ("listen", "as a lurker")
        assert application.subscriptions
        assert b.last == "DoNotDisturb"
        assert all("timeout=180" in p.query and "medium=5" in p.query for p in polls(b))


async def test_a20_an_answer_that_leads_nowhere_asks_the_application_once_then_makes_a_new_one() -> None:
    async with started() as b:
        looked = len(b.recorder.of("GET", next(iter(b.emulator.applications))))
        before = len(polls(b))
        b.emulator.faults.add(JSON({"_links": {"self": {"href": "/x"}}}, path="/events", times=2))
        await b.net.cut()
        await anyio.sleep(60)
        assert len(b.recorder.of("GET", next(iter(b.emulator.applications)))) == looked + 1
        assert created(b) == 2
        assert len(polls(b)) - before <= 5
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


async def test_a21_a_replaced_poll_that_we_gave_up_ourselves_changes_nothing() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(409, "Conflict", "PGetReplaced", path="/events", delay=300))
        await b.net.cut()
        await anyio.sleep(400)
        first, second = [p for p in polls(b) if p.at > 45][:2]
        assert first.query == second.query
        assert 224 <= second.at - first.at <= 230
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1
        assert b.errors == []


async def test_a22_another_reader_of_the_channel_is_met_with_patience_then_left_alone() -> None:
    async with started() as b:
        instance = channel(b).instance
        b.emulator.faults.add(problem(409, "Conflict", "PGetReplaced", path="/events", times=0))
        before = len(polls(b))
        await b.net.cut()
        await anyio.sleep(600)
        assert isinstance(b.parked, Rejected)
        assert len(polls(b)) - before == 3
        gaps = [p.at for p in polls(b)[before:]]
        assert 5 <= gaps[1] - gaps[0] <= 16
        assert f"instanceId={instance}" in polls(b)[before].query
        assert f"instanceId={instance}" not in polls(b)[-1].query


async def test_a22_a_half_dead_socket_of_ours_is_no_other_reader() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(409, "Conflict", "PGetReplaced", path="/events"))
        await b.net.cut()
        await anyio.sleep(60)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1
        assert b.state == "listen"


@pytest.mark.parametrize("body", ["", '{"_links":{"next":{"href":"/x/ev', '{"_links":{"next":{"href":"/x"}}}'])
async def test_a23_an_answer_that_is_cut_is_asked_for_again_by_the_same_link(body: str) -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(200, TYPE, body, path="/events", hang_up=True))
        count = len(b.observed)
        await b.net.cut()
        await anyio.sleep(1)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(60)
        cut = next(p for p in polls(b) if p.at > 45)
        assert [p.query for p in polls(b) if p.query == cut.query][1:]
        assert [o.raw for o in b.observed[count:]] == ["Busy"]
        assert created(b) == 1


async def test_a24_a_proxy_that_ends_every_poll_after_a_minute_is_no_trouble() -> None:
    async with bench() as b:
        proxy = b.net.hosts["pool-a.contoso.com"] = Impatient(b.recorder, 60.0)
        b.start()
        await anyio.sleep(3600)
        assert proxy.ended > 50
        assert b.errors == []
        assert ("recover", "") not in b.states
        assert "recover" not in {state for state, _ in b.states}
        assert len(b.recorder.of("POST", "reportMyActivity")) >= 18
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1


async def test_a24_the_same_where_the_proxy_hangs_up() -> None:
    async with bench() as b:
        b.net.hosts["pool-a.contoso.com"] = Impatient(b.recorder, 60.0, hangs_up=True)
        b.start()
        await anyio.sleep(1800)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1
        assert b.errors == []


async def test_a25_a_poll_into_a_black_hole_is_given_up_after_225_seconds() -> None:
    async with started() as b:
        b.net.silent = True
        await b.net.cut()
        await anyio.sleep(400)
        b.emulator.client(SIP, "Busy")
        b.net.silent = False
        await b.net.cut()
        await anyio.sleep(60)
        late = [p for p in polls(b) if p.at > 45]
        assert late[0].query == late[1].query
        assert 224 <= late[1].at - late[0].at <= 230
        assert b.last == "Busy"


async def test_a26_an_overloaded_server_is_given_the_time_it_asks_for() -> None:
    async with started(poll_idle=86400.0) as b:
        past = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
        for headers in ({"retry-after": "120"}, {"retry-after": "garbage"}, past, {"retry-after": "99999"}, {}):
            b.emulator.faults.add(Answer(503, headers, path="/events", times=4))
        before = len(polls(b))
        await b.net.cut()
        await anyio.sleep(4 * 120 + 4 * 300 + 20 * 75)
        times = [p.at for p in polls(b)[before:]]
        assert times[1] - times[0] >= 120
        assert max(later - at for at, later in pairwise(times)) <= 330
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1
        assert "recover" in {state for state, _ in b.states}
        assert "stale" in {state for state, _ in b.states}
        assert b.state == "listen"


async def test_a27_a_lost_subscription_is_made_again_and_the_application_left_alone() -> None:
    async with started(link={"presence_source": "lurker", "direction": "read"}) as b:
        gone = problem(404, "NotFound", "ApplicationNotFound", method="POST", path="presenceSubscriptions/")
        b.emulator.faults.add(gone)
        await anyio.sleep(1500)
        assert len(b.recorder.of("POST", "presenceSubscriptions")) == 2
        assert created(b) == 1
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


async def test_a_subscription_is_extended_at_sixty_percent_and_has_no_end() -> None:
    async with started(link={"presence_source": "lurker", "direction": "read"}) as b:
        await anyio.sleep(5 * 3600)
        assert len(b.recorder.of("POST", "presenceSubscriptions")) == 1
        extended = [s.at for s in b.recorder.seen if "presenceSubscriptions/s1" in s.path]
        assert 17 * 60 < extended[1] - extended[0] < 23 * 60
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert b.recorder.of("POST", "makeMeAvailable") == []
        assert b.recorder.of("POST", "reportMyActivity") == []


async def test_a28_a_lost_application_is_made_again_once_with_all_its_links() -> None:
    async with started() as b:
        (old,) = b.emulator.applications
        b.emulator.end_applications("ApplicationNotFound")
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(30)
        (new,) = b.emulator.applications
        assert new != old
        assert created(b) == 2
        since = [s for s in b.recorder.seen if s.at > b.recorder.of("POST", "/applications")[1].at + 1]
        assert since
        assert not [s for s in since if f"/{old}" in s.path]
        assert b.last == "Busy"


async def test_a_loss_met_by_a_write_ends_the_parked_poll_at_once() -> None:
    async with started() as b:
        b.emulator.ends_polls = False
        (old,) = b.emulator.applications
        b.emulator.end_applications("ApplicationNotFound")
        with pytest.raises(SessionExpired):
            await b.publish("Busy")
        await anyio.sleep(2)
        (new,) = b.emulator.applications
        assert new != old
        assert polls(b)[-1].path == f"/ucwa/oauth/v1/applications/{new}/events"
        await b.publish("Busy")
        await anyio.sleep(8)
        assert (b.emulator.shown(SIP), b.last) == ("Busy", "Busy")
        assert created(b) == 2
        assert len(b.link.membership.history._recreations._times) == 1


async def test_a_loss_met_by_many_at_once_counts_once() -> None:
    async with started() as b:
        b.emulator.end_applications("ApplicationNotFound")
        await b.net.cut()
        for _ in range(3):
            with suppress(ServiceError):
                await b.publish("Busy")
        await anyio.sleep(30)
        assert created(b) == 2
        assert len(b.link.membership.history._recreations._times) == 1


async def test_a30_too_many_applications_met_by_a_report_parks_the_parked_poll_too() -> None:
    async with started() as b:
        b.emulator.ends_polls = False
        b.emulator.end_applications("TooManyApplications")
        await anyio.sleep(600)
        assert created(b) == 1
        assert b.parked is not None
        with pytest.raises(Rejected) as refused:
            await b.publish("Busy")  # nobody's wish makes an application while the server wants none
        assert created(b) == 1
        assert 0 < (refused.value.retry_after or 0) < 900
        await anyio.sleep(900)
        assert created(b) == 2
        assert b.last == "Online"


async def test_a30_a_410_met_by_many_at_once_parks_once() -> None:
    async with started() as b:
        b.emulator.end_applications("TooManyApplications")
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(_tries, b)
        assert b.link.membership.history.count("park") == 1


async def test_a30_a_410_met_while_the_poll_waits_after_trouble_parks_it_too() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(503, path="events$", times=0))
        await anyio.sleep(300)
        b.emulator.end_applications("TooManyApplications")
        with pytest.raises(Rejected):
            await b.publish("Busy")
        b.emulator.faults.clear()
        await anyio.sleep(600)
        assert isinstance(b.parked, Rejected)
        assert b.state == "parked"
        assert created(b) == 1
        await anyio.sleep(900)
        assert created(b) == 2


async def test_a30_a_410_that_has_its_patience_has_it_while_the_poll_waits_after_trouble_too() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(503, {"retry-after": "10"}, path="events$", times=0))
        await b.net.cut()
        await anyio.sleep(5)
        for _ in range(8):
            b.link.membership.history.again("inactive", RECREATE, Unavailable("scripted"))
        b.emulator.end_applications("InactiveApplicationExpired")
        with pytest.raises(Unavailable):
            await b.publish("Busy")
        await anyio.sleep(800)
        assert created(b) == 1
        await anyio.sleep(120)
        assert created(b) == 2


async def test_news_that_was_never_read_is_read_when_the_account_is_started_again() -> None:
    async with started() as b:
        b.emulator.faults.add(JSON({}, method="GET", path="me/presence$", hang=True))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(8)
        await b.kill()
        b.start()
        await anyio.sleep(1)
        assert b.last == "Busy"
        assert created(b) == 1


async def test_a_flow_that_comes_late_leaves_the_link_parked() -> None:
    async with started() as b:
        b.emulator.faults.add(JSON({"availability": "Busy"}, method="GET", path="me/presence$", delay=20))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(8)
        session = b.link.membership.session
        assert session is not None
        session.inbox.read_all(b.link.membership.at)
        b.emulator.end_applications("TooManyApplications")
        await anyio.sleep(5)
        assert b.state == "parked"
        await anyio.sleep(60)
        assert b.last == "Busy"
        assert [state for state, _ in b.states[-3:]] == ["parked", "sync", "parked"]
        assert b.link.membership.history.count("park") == 1


async def test_a32_forbidden_met_by_two_at_once_is_met_once() -> None:
    async with started() as b:
        b.emulator.faults.add(*2 * [problem(403, "Forbidden", "None", method="POST", path="me/presence$", delay=1)])
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(_tries, b)
        await anyio.sleep(60)
        assert b.parked is None
        assert b.state == "listen"


async def _tries(b: Bench) -> None:
    with suppress(ServiceError):
        await b.publish("Busy")


async def test_a29_applications_that_vanish_again_and_again_are_not_made_without_end() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(404, "NotFound", "ApplicationNotFound", path="/events", times=0))
        await b.net.cut()
        await anyio.sleep(800)
        assert isinstance(b.parked, Rejected)
        assert created(b) <= 9
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) == 2
        assert len(b.emulator.sign_ins) == 2


@pytest.mark.parametrize(
    ("subcode", "quiet", "returns"),
    [
        ("TooManyApplications", 890, 1100),
        ("InactiveApplicationExpired", 4, 60),
        ("UserAgentNotAllowed", 86400, None),
        ("CannotRedirect", 29, 90),
        ("SomethingNew", 890, 1100),
    ],
)
async def test_a30_each_410_has_its_own_patience(subcode: str, quiet: float, returns: float | None) -> None:
    async with started() as b:
        b.emulator.end_applications(subcode)
        await anyio.sleep(0.5)
        before = created(b)
        await anyio.sleep(quiet - 0.5)
        assert created(b) == before
        if returns is None:
            assert isinstance(b.parked, Rejected)
            assert b.parked.retry_after is None
            return
        await anyio.sleep(returns)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(15)
        assert b.last == "Busy"
        assert created(b) == before + 1


async def test_a30_no_backup_pool_looks_for_the_way_anew() -> None:
    async with started() as b:
        b.emulator.end_applications("CannotRedirect")
        await anyio.sleep(60)
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) == 2


async def test_a31_an_expired_token_costs_one_sign_in_and_nothing_else() -> None:
    async with started() as b:
        b.emulator.expire_tokens()
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(30)
        assert b.last == "Busy"
        assert created(b) == 1
        assert len(b.emulator.sign_ins) == 2
        refused = [p for p in polls(b) if [q.query for q in polls(b)].count(p.query) == 2]
        assert len({p.query for p in refused}) <= 1
        assert b.errors == []


async def test_a36_a_refused_envelope_did_nothing_and_is_not_sent_again() -> None:
    async with bench() as b:
        b.emulator.faults.add(problem(429, "TooManyRequests", "None", path="/batch"))
        b.start()
        await anyio.sleep(60)
        assert b.last == "Online"
        assert len(b.recorder.of("POST", "/batch")) == 1
        channel(b).ack += 3
        await b.net.cut()
        await anyio.sleep(30)
        assert len(b.recorder.of("POST", "/batch")) == 1
        assert len(b.recorder.of("GET", "me/note")) >= 2


async def test_a37_packed_and_chunked_answers_are_read() -> None:
    async with bench() as b:
        b.net.hosts["pool-a.contoso.com"] = GZipMiddleware(b.recorder, minimum_size=1)
        b.start()
        await anyio.sleep(30)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a37_a_bomb_is_refused_and_survived() -> None:
    async with started() as b:
        bomb = gzip.compress(b" " * 50_000_000)
        b.emulator.faults.add(Answer(200, {**TYPE, "content-encoding": "gzip"}, bomb, path="/events"))
        await b.net.cut()
        await anyio.sleep(60)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1


async def test_a38_forbidden_everywhere_looks_for_the_way_once_then_parks() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(403, "Forbidden", "None", path="/ucwa/", times=0))
        await b.net.cut()
        await anyio.sleep(800)
        assert isinstance(b.parked, Rejected)
        assert b.parked.status == 403
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) == 2
        assert created(b) == 2


async def test_a39_a_link_without_encryption_is_refused() -> None:
    async with started() as b:
        before = len(polls(b))
        page = {"_links": {"next": {"href": "http://pool-a.contoso.com/ucwa/oauth/v1/applications/1/events?ack=2"}}}
        b.emulator.faults.add(JSON(page, path="/events"))
        await b.net.cut()
        await anyio.sleep(60)
        assert isinstance(b.parked, Rejected)
        assert {port for _, port in b.net.connects} == {443}
        assert len(polls(b)) == before + 1


async def test_something_between_that_answers_is_trouble_on_the_way_and_acknowledges_nothing() -> None:
    async with started() as b:
        portal = {"content-type": "text/html"}
        b.emulator.faults.add(
            Answer(200, portal, "<html>Sign in to the hotel</html>", path="/events"),
            Answer(404, portal, "<html>Not found</html>", path="/events"),
            Answer(409, portal, "<html>Conflict</html>", path="/events"),
            Answer(410, portal, "<html>Gone</html>", path="/events"),
        )
        await b.net.cut()
        await anyio.sleep(120)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        assert created(b) == 1


async def test_server_errors_have_the_application_looked_at_after_five() -> None:
    async with started() as b:
        application = next(iter(b.emulator.applications))
        looked = len(b.recorder.of("GET", f"applications/{application}"))
        b.emulator.faults.add(problem(500, "ServiceFailure", "None", path="/events", times=5))
        await b.net.cut()
        await anyio.sleep(200)
        assert len(b.recorder.of("GET", f"applications/{application}")) == looked + 1
        assert created(b) == 1


async def test_a_refused_poll_is_tried_without_our_time_outs_then_a_new_application_is_made() -> None:
    async with started() as b:
        before = len(polls(b))
        b.emulator.faults.add(problem(400, "BadRequest", "ParameterValidationFailure", path="/events", times=2))
        await b.net.cut()
        await anyio.sleep(30)
        assert "timeout" in polls(b)[before].query
        assert "timeout" not in polls(b)[before + 1].query
        assert created(b) == 2


async def test_a_gateway_that_fails_three_times_has_the_way_looked_for_anew() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(502, path="/events", times=3))
        await b.net.cut()
        await anyio.sleep(120)
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) == 2
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


async def test_a_version_the_server_lacks_is_asked_for_once() -> None:
    async with bench() as b:
        b.emulator.faults.add(problem(404, "NotFound", "APIVersionNotSupported", path="applications$"))
        b.start()
        await anyio.sleep(30)
        first, second = b.recorder.of("POST", "/applications")
        assert first.headers["x-ms-requiresminresourceversion"] == "2"
        assert "x-ms-requiresminresourceversion" not in second.headers
        assert b.last == "Online"


async def test_an_application_that_cannot_be_made_is_tried_with_growing_waits() -> None:
    async with bench() as b:
        b.emulator.faults.add(problem(409, "Conflict", "None", path="applications$", times=4))
        b.start()
        await anyio.sleep(120)
        assert b.last == "Online"
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) >= 2


async def test_no_discovery_service_is_waited_for_with_growing_waits() -> None:
    async with bench() as b:
        b.net.down = True
        b.start()
        await anyio.sleep(3600)
        assert 10 < len(b.net.connects) < 60
        assert not isinstance(b.parked, AuthRejected)
        b.net.down = False
        await anyio.sleep(400)
        assert b.last == "Online"


def test_the_helper_stops_at_the_first_request() -> None:
    def flow() -> Flow[None]:
        yield Enter("x")
        yield Remember("k", "v")
        yield Request("GET", "https://h/", "x")

    assert isinstance(by_hand(flow()), Request)
