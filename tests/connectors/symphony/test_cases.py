"""The adversarial cases S01 to S25, each against the emulated pod where it can do what the case says."""

from __future__ import annotations

import json
from typing import Any

import anyio
import jwt
import pytest

from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.connectors.symphony.protocol import EXTERNAL_EVERY, ExternalLink, SymphonyService
from presence_syncd.connectors.symphony.sweep import PAGE
from presence_syncd.core.entry import Kind, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, AWAY, BUSY, OFFLINE, UNKNOWN, Activity, Availability, Status
from presence_syncd.core.publication import Accepted, accept, begin
from presence_syncd.core.values import replace
from presence_syncd.core.view import Rules, View
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.symphony.pod import ALICE, BOB, BOT, Pod, keys, link, obo_settings, presence, reply

OWN = f"/pod/v3/user/{ALICE}/presence"
WRITE = "/pod/v3/user/presence"
MEETING = Status(Availability.BUSY, Activity.MEETING)


async def read(pod: Pod) -> Observation:
    return await pod.driver.run(pod.links(ALICE)[0].read())


async def write(pod: Pod, word: str, attempt: int = 0) -> Any:
    return await pod.driver.run(pod.links(ALICE)[0].publish(Publish(word, attempt=attempt)))


async def wrote(pod: Pod, view: View, word: str, status: Status) -> View:
    """Write as the engine does: noted before, accepted after."""
    view = begin(view, "s", word, status, 45.0, pod.emulator.clock.now())
    done = await write(pod, word)
    accepted = Accepted(done.shown, done.word, order=done.order)
    return accept(view, "s", accepted, pod.emulator.clock.now())


def kind_of(pod: Pod, view: View, seen: Observation) -> tuple[View, Kind]:
    return observe(view, "s", seen, pod.service.vocabulary, Rules())


async def test_s01_an_invalid_session_costs_one_login_and_one_repetition() -> None:
    pod = Pod()
    await read(pod)
    pod.emulator.revoke()
    assert (await read(pod)).status == AVAILABLE
    assert pod.emulator.sessions.logins == [("bot", BOT)] * 2
    assert pod.emulator.faults.count("GET", OWN) == 3


async def test_s01_an_expired_session_costs_the_same() -> None:
    pod = Pod()
    await read(pod)
    pod.emulator.clock.advance(pod.emulator.sessions.lifetime)
    assert (await read(pod)).status == AVAILABLE
    assert len(pod.emulator.sessions.logins) == 2


async def test_s02_a_fresh_token_that_is_refused_ends_the_try() -> None:
    pod = Pod()
    pod.emulator.faults.add(Answer(401, body='{"code":401,"message":"Invalid session"}', path="^/pod", times=0))
    with pytest.raises(AuthRejected):
        await read(pod)
    assert (len(pod.emulator.sessions.logins), pod.emulator.faults.count("GET", OWN)) == (2, 2)


@pytest.mark.parametrize("wrong", ["clock", "key", "bot"])
async def test_s03_a_refused_login_names_sub_and_not_the_key(wrong: str) -> None:
    pod = Pod()
    match wrong:
        case "clock":
            pod.emulator.clock.epoch += 600
            pod.driver.clock = type(pod.emulator.clock)()
        case "key":
            pod.emulator.sessions.keys["bot", BOT] = "no key"
        case _:
            pod.emulator.sessions.keys.clear()
    with pytest.raises(AuthRejected, match=f"sub '{BOT}'") as caught:
        await read(pod)
    assert caught.value.retry_after == 60.0
    assert keys()[0][40:60] not in str(caught.value)
    assert pod.emulator.faults.count("POST", "authenticate") == 1


@pytest.mark.parametrize(("ahead", "status"), [(240, 200), (300, 200), (301, 401), (0, 401), (-1, 401)])
async def test_s04_the_pod_refuses_a_login_that_expires_too_late(ahead: int, status: int) -> None:
    pod = Pod()
    now = pod.emulator.clock.now()
    pod.emulator.clock.now = lambda: now  # type: ignore[method-assign]  # whole seconds count here
    token = jwt.encode({"sub": BOT, "exp": now + ahead}, keys()[0], algorithm="RS512")
    answer = await pod.driver.client.post("https://x/login/pubkey/authenticate", json={"token": token})
    assert answer.status_code == status


async def test_s04_ours_never_expires_later_than_240_seconds() -> None:
    pod = Pod()
    await read(pod)
    token = json.loads(pod.driver.sent[0].body or b"")["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - pod.emulator.clock.now() <= 240


PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(("header", "wait"), [(None, None), ("7", 7.0), (PAST, None)])
async def test_s05_too_many_requests_are_met_by_waiting_as_asked(header: str | None, wait: float | None) -> None:
    pod = Pod()
    pod.emulator.limit = (1, 60.0)
    pod.emulator.retry_after = header
    await read(pod)
    with pytest.raises(RateLimited) as caught:
        await write(pod, "BUSY")
    assert caught.value.retry_after == wait
    pod.emulator.clock.advance(60.0)
    assert (await write(pod, "BUSY")).shown == BUSY


async def test_s06_a_write_of_unknown_outcome_is_read_before_it_is_repeated() -> None:
    pod = Pod()
    pod.emulator.faults.add(Answer(500, path=WRITE, method="POST", apply=True))
    with pytest.raises(Unavailable):
        await write(pod, "BUSY")
    published = await write(pod, "BUSY", attempt=1)
    assert (published.shown, published.word) == (BUSY, None)
    assert published.order is not None
    assert [word for _, _, word in pod.emulator.writes] == ["BUSY"]


async def test_s06_a_write_that_was_lost_is_repeated() -> None:
    pod = Pod()
    pod.emulator.faults.add(Answer(500, path=WRITE, method="POST"))
    with pytest.raises(Unavailable):
        await write(pod, "BUSY")
    await write(pod, "BUSY", attempt=1)
    assert [word for _, _, word in pod.emulator.writes] == ["BUSY"]
    assert pod.emulator.shown(ALICE) == "BUSY"


async def test_s07_a_soft_write_to_an_idle_person_shows_away_and_is_success() -> None:
    pod = Pod()
    pod.emulator.idle(ALICE, True)
    view = await wrote(pod, View(), "AVAILABLE", AVAILABLE)
    assert pod.emulator.shown(ALICE) == "AWAY"
    view, kind = kind_of(pod, view, await read(pod))
    assert kind is not Kind.OWN
    assert view.entries["s"].word is None


async def test_s08_a_soft_write_that_takes_effect_later_is_ours() -> None:
    pod = Pod()
    pod.emulator.online(ALICE, False)
    view, _ = kind_of(pod, View(), await read(pod))
    view = await wrote(pod, view, "BUSY", BUSY)
    view, _ = kind_of(pod, view, await read(pod))
    assert pod.emulator.shown(ALICE) == "OFFLINE"
    pod.emulator.clock.advance(60.0)
    pod.emulator.online(ALICE, True)
    seen = await read(pod)
    assert (seen.status, kind_of(pod, view, seen)[1]) == (BUSY, Kind.ECHO)


async def test_s09_idle_flips_of_what_we_wrote_are_nobodys_word() -> None:
    pod = Pod()
    view = await wrote(pod, View(), "AVAILABLE", AVAILABLE)
    for idle in (True, False) * 3:
        pod.emulator.idle(ALICE, idle)
        pod.emulator.clock.advance(20.0)
        view, kind = kind_of(pod, view, await read(pod))
        assert kind is (Kind.DECAY if idle else Kind.ECHO)
    assert view.entries["s"].word is None


async def test_s10_an_offline_record_of_a_new_time_is_no_change() -> None:
    pod = Pod()
    pod.emulator.online(ALICE, False)
    view, _ = kind_of(pod, View(), await read(pod))
    for _ in range(3):
        pod.emulator.clock.advance(15.0)
        seen = await read(pod)
        assert (seen.status, seen.order, seen.changed_at) == (OFFLINE, None, None)
        view, kind = kind_of(pod, view, seen)
        assert kind is Kind.SAME


@pytest.mark.parametrize("body", [{"category": "MEETING_ROOM"}, {"category": "UNDEFINED"}, {"category": None}, {}])
async def test_s11_an_unknown_category_keeps_the_last_good_state(body: dict[str, object]) -> None:
    pod = Pod()
    view, _ = kind_of(pod, View(), await read(pod))
    pod.emulator.faults.add(Answer(200, body=json.dumps(body)))
    seen = await read(pod)
    assert (seen.status, bool(seen.raw)) == (UNKNOWN, True)
    after, kind = kind_of(pod, view, seen)
    assert (after, kind) == (view, Kind.UNKNOWN)


async def test_s12_a_404_counts_whatever_its_body_says() -> None:
    pod = Pod()
    del pod.emulator.people[BOB]
    with pytest.raises(Rejected) as caught:
        await pod.driver.run(pod.links(BOB)[0].read())
    assert caught.value.status == 404


async def test_s12_a_user_who_is_gone_is_asked_for_less_often() -> None:
    pod = Pod()
    del pod.emulator.people[BOB]
    for _ in range(22):
        assert await pod.sweep() == {str(ALICE): "AVAILABLE"}
    assert pod.emulator.faults.count("GET", str(BOB)) == 2
    assert pod.emulator.faults.count("GET", str(ALICE)) == 22


@pytest.mark.parametrize(
    ("settings", "word", "substitute"),
    [({"dnd_as": "DO_NOT_DISTURB"}, "DO_NOT_DISTURB", "BUSY"), ({"off_work_as": "OFF_WORK"}, "OFF_WORK", "OFFLINE")],
)
async def test_s13_a_category_the_pod_refuses_is_replaced_and_remembered(
    settings: dict[str, str], word: str, substitute: str
) -> None:
    pod = Pod(**settings)
    pod.emulator.refused.add(word)
    assert (await write(pod, word)).word == substitute
    assert (await write(pod, word)).word == substitute
    assert [category for _, _, category in pod.emulator.writes] == [substitute] * 2
    assert pod.emulator.faults.count("POST", WRITE) == 3


async def test_s13_a_category_the_pod_takes_is_not_replaced() -> None:
    pod = Pod(dnd_as="DO_NOT_DISTURB")
    assert (await write(pod, "DO_NOT_DISTURB")).word is None


async def test_s14_no_privilege_to_write_is_said_once_and_reading_goes_on() -> None:
    pod = Pod(dnd_as="DO_NOT_DISTURB")
    pod.emulator.may_write = False
    for word in ("BUSY", "DO_NOT_DISTURB"):
        with pytest.raises(Rejected, match="ADMIN_PRESENCE_UPDATE") as caught:
            await write(pod, word)
        assert caught.value.status == 403
    assert pod.service.refused == set()
    assert pod.emulator.faults.count("POST", WRITE) == 3
    assert (await read(pod)).status == AVAILABLE


async def test_s15_pages_that_overlap_by_one_end_and_repeat_nobody() -> None:
    pod = Pod(list_above=0)
    for user_id in range(1000, 1000 + 2 * PAGE):
        pod.emulator.add_user(user_id, f"user{user_id}")
    seen = await pod.sweep(1000, 1000 + PAGE, 1000 + 2 * PAGE - 1)
    assert len(seen) == 3
    assert pod.emulator.faults.count("GET", "/v2/users/presence") == 3


async def test_s15_a_full_page_followed_by_its_last_user_alone_ends_the_list() -> None:
    pod = Pod(list_above=0)
    owner = pod.service
    page = [{"category": "BUSY", "userId": user} for user in range(PAGE)]
    flow = owner.sweep([link(owner, user_id=user) for user in (0, 10 * PAGE)])
    next(flow)
    request = flow.send(reply(page))
    assert isinstance(request, Request)
    assert f"lastUserId={PAGE - 1}&" in request.url
    with pytest.raises(StopIteration) as end:
        flow.send(reply(page[-1:]))
    assert list(end.value.value) == ["0"]


async def test_s16_a_user_missing_from_one_listing_is_not_offline() -> None:
    pod = Pod(list_above=0)
    assert await pod.sweep() == {str(ALICE): "AVAILABLE", str(BOB): "AVAILABLE"}
    pod.emulator.hide(BOB)
    assert await pod.sweep() == {str(ALICE): "AVAILABLE"}
    assert await pod.sweep() == {str(ALICE): "AVAILABLE", str(BOB): "AVAILABLE"}


async def test_s16_a_user_missing_twice_is_asked_for_and_then_offline() -> None:
    pod = Pod(list_above=0)
    pod.emulator.online(BOB, False)
    pod.emulator.hide(BOB, 3)
    shown = [(await pod.sweep()).get(str(BOB)) for _ in range(4)]
    assert shown == [None, "OFFLINE", "(not listed)", "OFFLINE"]


async def test_s17_a_long_slow_list_has_the_time_and_room_it_needs() -> None:
    pod = Pod(list_above=0)
    await pod.sweep()
    request = pod.driver.sent[-1]
    assert (request.timeout, request.max_body) == (60.0, 8 * 1024 * 1024)
    flow = pod.service.sweep(pod.links())
    next(flow)
    with pytest.raises(Unavailable):
        flow.throw(Unavailable("ReadTimeout"))
    assert await pod.sweep() == {str(ALICE): "AVAILABLE", str(BOB): "AVAILABLE"}


async def test_s18_presence_feeds_are_there_no_more_and_never_asked_for() -> None:
    pod = Pod()
    answer = await pod.driver.client.post("https://x/pod/v1/presence/feed/create")
    assert answer.status_code == 404
    await pod.sweep()
    await write(pod, "BUSY")
    assert pod.emulator.faults.count("", "presence/feed") == 0
    assert pod.emulator.faults.count("POST", "presence/feed") == 1  # this test's own


def outsider(pod: Pod) -> ExternalLink:
    pod.emulator.add_user(77, "outsider", external=True)
    made = link(pod.service, user_id=77, external=True, direction="read")
    assert isinstance(made, ExternalLink)
    return made


async def test_s19_an_external_user_is_read_every_five_minutes_and_interest_renewed() -> None:
    pod = Pod()
    person = outsider(pod)
    assert person.rests(present=False) is None
    pod.emulator.set(77, "BE_RIGHT_BACK")
    for _ in range(26):
        assert await pod.driver.run(person.keep_alive(present=False)) == EXTERNAL_EVERY
        pod.emulator.clock.advance(EXTERNAL_EVERY)
    assert {seen.status for seen in pod.driver.observed} == {AWAY}
    assert len(pod.driver.observed) == 26
    assert set(pod.driver.states) == {"followed"}
    assert pod.emulator.faults.count("POST", "register") == 3


@pytest.mark.parametrize("status", [429, 403])
async def test_s19_reading_an_external_user_too_early_is_survived(status: int) -> None:
    pod = Pod()
    person = outsider(pod)
    pod.emulator.external_refusal = status
    await pod.driver.run(person.read())
    assert await pod.driver.run(person.keep_alive(present=False)) == EXTERNAL_EVERY
    assert (pod.driver.states, pod.driver.observed) == (["unreadable"], [])
    pod.emulator.clock.advance(EXTERNAL_EVERY)
    await pod.driver.run(person.keep_alive(present=False))
    assert pod.driver.observed[0].status == AVAILABLE


async def test_s19_offline_after_the_interest_lapsed_is_not_believed() -> None:
    pod = Pod()
    person = outsider(pod)
    await pod.driver.run(person.read())
    pod.emulator.clock.advance(3601.0)
    assert (await pod.driver.run(person.read())).status == UNKNOWN
    pod.emulator.clock.advance(EXTERNAL_EVERY)
    assert (await pod.driver.run(person.read())).status == AVAILABLE


async def test_s20_a_reading_that_left_before_the_write_is_stale() -> None:
    pod = Pod()
    flow = pod.links(ALICE)[0].read()
    request = next(flow)
    assert isinstance(request, Request)
    left_at = pod.emulator.clock.now()
    await anyio.sleep(0.01)
    view = await wrote(pod, View(), "BUSY", BUSY)
    late = presence("AVAILABLE")
    with pytest.raises(StopIteration) as end:
        flow.send(Reply(200, (), late.body, at=pod.emulator.clock.now(), started_at=left_at))
    assert kind_of(pod, view, end.value.value)[1] is Kind.STALE


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(502, {"content-type": "text/html"}, "<html>secret</html>"), Unavailable),
        (Answer(200, {"content-type": "text/html"}, "<html>secret</html>"), RemoteProtocolError),
        (Answer(200, {"content-type": "application/json"}, '{"category":"secr'), RemoteProtocolError),
        (Answer(200, {"content-type": "application/json"}, ""), RemoteProtocolError),
        (Answer(302, {"location": "https://elsewhere.example/"}), RemoteProtocolError),
    ],
)
async def test_s21_what_is_no_answer_is_trouble_and_is_not_quoted(answer: Answer, error: type[Exception]) -> None:
    pod = Pod()
    await read(pod)
    pod.emulator.faults.add(replace(answer))
    with pytest.raises(error) as caught:
        await read(pod)
    assert "secr" not in str(caught.value)
    assert (await read(pod)).status == AVAILABLE


async def test_s21_json_that_calls_itself_text_is_read() -> None:
    pod = Pod()
    pod.emulator.faults.add(Answer(200, {"content-type": "text/plain"}, '{"category":"BUSY"}', path=OWN))
    assert (await read(pod)).status == BUSY


async def test_s22_an_answer_that_never_ends_is_that_users_trouble_alone() -> None:
    pod = Pod()
    flow = pod.service.sweep(pod.links())
    first = next(flow)
    assert isinstance(first, Request)
    assert first.timeout <= 15.0
    flow.throw(Unavailable("ReadTimeout"))
    with pytest.raises(StopIteration) as end:
        flow.send(presence("BUSY", BOB))
    assert list(end.value.value) == [str(BOB)]


def obo_pod() -> Pod:
    pod = Pod()
    pod.service = SymphonyService("symphony", obo_settings())
    pod.driver = pod.driver_of(pod.service)
    return pod


async def test_s23_an_expired_session_of_the_app_is_renewed_once() -> None:
    pod = obo_pod()
    await read(pod)
    pod.emulator.revoke()
    await write(pod, "BUSY")
    assert [kind for kind, _ in pod.emulator.sessions.logins] == ["app", "user"] * 2
    assert pod.emulator.faults.count("POST", f"app/user/{ALICE}/authenticate") == 3


async def test_s23_a_second_user_needs_no_second_login_of_the_app() -> None:
    pod = obo_pod()
    for person in (*pod.links(), link(pod.service, username="bob")):
        await pod.driver.run(person.read())
    assert pod.emulator.sessions.logins == [
        ("app", "presence-app"),
        ("user", "alice"),
        ("user", "bob"),
        ("user", "bob"),
    ]


async def test_s23_a_user_who_removed_the_app_stops_alone() -> None:
    pod = obo_pod()
    pod.emulator.uninstall(ALICE)
    alice, bob = pod.links()
    with pytest.raises(Rejected, match=f"user {ALICE}") as caught:
        await pod.driver.run(alice.read())
    assert caught.value.status == 403
    assert (await pod.driver.run(bob.read())).status == AVAILABLE


async def test_s24_an_answer_about_another_user_is_refused() -> None:
    pod = Pod()
    pod.emulator.faults.add(Answer(200, body=json.dumps({"category": "BUSY", "userId": BOB}), path=OWN))
    with pytest.raises(RemoteProtocolError, match="another user"):
        await read(pod)
    pod.emulator.faults.add(Answer(200, body=json.dumps({"category": "BUSY", "userId": BOB}), path=WRITE))
    with pytest.raises(RemoteProtocolError, match="another user"):
        await write(pod, "BUSY")


@pytest.mark.parametrize(("word", "status"), [("IN_A_MEETING", MEETING), ("AWAY", AWAY)])
async def test_s25_what_a_person_says_right_after_our_write_is_theirs(word: str, status: Status) -> None:
    pod = Pod()
    ours, meant = ("IN_A_MEETING", MEETING) if word == "AWAY" else ("BUSY", BUSY)
    view = await wrote(pod, View(), ours, meant)
    pod.emulator.clock.advance(0.5)
    pod.emulator.set(ALICE, word)
    view, kind = kind_of(pod, view, await read(pod))
    assert kind is Kind.OWN
    word_now = view.entries["s"].word
    assert word_now is not None
    assert word_now.status == status
    assert kind_of(pod, view, await read(pod))[1] is Kind.SAME
