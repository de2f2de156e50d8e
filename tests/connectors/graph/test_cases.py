"""The numbered adversarial cases of the Graph sheet: the emulator does it, the client survives it.

Cases 34-40 concern change notifications, which this connector does not use. Of the cases that are the engine's or the
core's (who waits, who retries, which reading is stale) the part of the protocol is tested here.
"""

from __future__ import annotations

from typing import Any

import pytest

from presence_syncd.connectors.connector import Publish
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Reply, Request, retry_after
from presence_syncd.connectors.graph.emulator import CLIENT_ID, GraphEmulator
from presence_syncd.connectors.graph.settings import GraphLinkSettings
from presence_syncd.core.presence import UNKNOWN
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.graph.bench import API, OTHER, USER, Bench, answer, hand, link_of, service_of

HOUR = 3600.0


def write_of(bench: Bench, word: str) -> Request:
    """The request a flow would send for a word, to be put into an envelope."""
    return hand(bench.link.publish(Publish(word))).requests[0]


async def ask(bench: Bench, action: str, body: dict[str, Any], version: str = "v1.0") -> int:
    """The status of a write our client would never send."""
    headers = {"content-type": "application/json"}
    address = f"http://localhost/{version}/users/{USER}/presence/{action}"
    token = dict(bench.driver.tokens["graph"].headers)
    return (await bench.driver.client.post(address, json=body, headers={**headers, **token})).status_code


async def test_case_01_an_available_session_fades_at_5_and_10_minutes_and_ends_with_its_duration() -> None:
    bench = Bench()
    published = await bench.publish("Available/Available")
    assert published.refresh_in is not None
    assert published.refresh_in * 1.1 < 300 <= (published.expires_in or 0)
    states = []
    for seconds in (299, 2, 297, 4, 2988, 20):
        bench.emulator.clock.advance(seconds)
        states.append(await bench.shown())
    assert states == ["available", "available+idle", "available+idle", "away", "away", "offline"]
    assert bench.emulator.lapsed == 1


async def test_case_02_a_call_of_4_hours_needs_no_refresh_of_4_minutes() -> None:
    bench = Bench(expiration="4h")
    published = await bench.publish("Busy/InACall")
    bench.emulator.clock.advance(4 * HOUR - 60)
    assert await bench.shown() == "busy/call"
    assert published.refresh_in is not None
    assert 2 * HOUR < published.refresh_in < 3.5 * HOUR
    assert bench.emulator.lapsed == 0


async def test_case_03_without_a_duration_five_minutes_are_already_too_late() -> None:
    bench = Bench(api="beta")
    published = await bench.publish("Busy/InACall")
    assert published.refresh_in is not None
    assert published.refresh_in < 300.0
    assert "expirationDuration" not in str(bench.driver.sent[-1].body)
    assert await ask(bench, "setPresence", {"sessionId": CLIENT_ID, "availability": "Away", "activity": "Away"}) == 200
    bench.emulator.clock.advance(300)
    assert bench.emulator.shown(USER) == ("Offline", "Offline")


async def test_case_04_pairs_of_the_preferred_presence_are_no_pairs_of_a_session() -> None:
    bench = Bench()
    for word in ("Busy/Busy", "DoNotDisturb/DoNotDisturb", "BeRightBack/BeRightBack", "Offline/OffWork"):
        assert word not in bench.service.vocabulary.echoes
        with pytest.raises(Rejected, match="pair") as refused:
            await bench.publish(word)
        assert refused.value.retry_after is None
    assert bench.said == []


async def test_case_05_durations_out_of_range_are_refused_and_never_sent() -> None:
    bench = Bench(expiration="5m")
    await bench.publish("Away/Away")
    body = {"sessionId": CLIENT_ID, "availability": "Away", "activity": "Away"}
    for text in ("PT4M", "PT241M", "P1D", "3600", "-PT5M", "PT"):
        assert await ask(bench, "setPresence", {**body, "expirationDuration": text}) == 400
    assert b'"PT5M"' in (bench.driver.sent[-1].body or b"")
    assert await ask(bench, "setPresence", {**body, "expirationDuration": "PT5M"}) == 200


async def test_case_06_the_session_id_is_the_client_id() -> None:
    bench = Bench()
    await bench.publish("Away/Away")
    body = {"sessionId": OTHER, "availability": "Away", "activity": "Away"}
    assert await ask(bench, "setPresence", body) == 400
    assert await ask(bench, "clearPresence", body) == 400


async def test_case_07_our_away_is_not_seen_while_teams_says_available() -> None:
    bench = Bench()
    bench.emulator.teams(USER, "Available")
    await bench.publish("Away/Away")
    assert await bench.shown() == "available"
    bench.emulator.teams(USER, None)
    assert await bench.shown() == "away"


async def test_case_08_what_the_person_chose_is_above_our_session_and_is_not_cleared() -> None:
    bench = Bench()
    bench.emulator.choose(USER, "DoNotDisturb")
    for refresh in (False, True):
        await bench.publish("Available/Available", refresh=refresh)
    assert await bench.shown() == "dnd"
    assert {action for action, _ in bench.said} == {"setPresence"}


async def test_case_08_with_preferred_a_refresh_leaves_what_the_person_chose_since() -> None:
    bench = Bench(preferred=True)
    await bench.publish("Available/Available")
    bench.emulator.choose(USER, "DoNotDisturb")
    await bench.publish("Available/Available", refresh=True)
    assert await bench.shown() == "dnd"


async def test_case_09_a_preferred_state_shows_once_there_is_a_session() -> None:
    bench = Bench(preferred=True, hold_available=False)
    await bench.publish("Busy/Busy")
    assert await bench.shown() == "offline"
    holding = Bench(bench.emulator, preferred=True)
    await holding.publish("Busy/Busy")
    assert await holding.shown() == "busy"


async def test_case_10_clearing_twice_is_done_both_times() -> None:
    bench = Bench()
    await bench.publish("Away/Away")
    for _ in range(2):
        await bench.driver.run(bench.link.retract(overridden=False))
    assert [action for action, _ in bench.said] == ["setPresence", "clearPresence"]


async def test_case_11_the_last_session_cleared_reads_offline_twice() -> None:
    bench = Bench()
    await bench.publish("Available/Available")
    await bench.driver.run(bench.link.sign_out())
    seen = await bench.driver.run(bench.link.read())
    assert (str(seen.status), seen.raw) == ("offline", "Offline/Offline")


async def test_case_12_a_write_is_read_back_minutes_later() -> None:
    bench = Bench()
    await bench.publish("Away/Away")
    bench.emulator.clock.advance(200)
    bench.emulator.calls.visible_after = 180.0
    await bench.publish("Busy/InACall")
    states = []
    for seconds in (0, 170, 20):
        bench.emulator.clock.advance(seconds)
        states.append(await bench.shown())
    assert states == ["away", "away", "busy/call"]
    assert bench.service.traits.visible_within >= 180.0


async def test_case_13_a_success_may_be_204_or_have_an_empty_json_body() -> None:
    bench = Bench(preferred=True)
    for no_content in (False, True):
        bench.emulator.calls.no_content = no_content
        await bench.publish("Busy/Busy", note="x")
        await bench.driver.run(bench.link.retract(overridden=False))
    assert len(bench.said) == 12


async def test_case_14_calls_while_throttled_prolong_it() -> None:
    bench = Bench(GraphEmulator(limit=3, window=5.0, retry_after=10.0))
    for _ in range(3):
        await bench.publish("Away/Away")
    for _ in range(2):
        with pytest.raises(RateLimited) as limited:
            await bench.publish("Away/Away")
        assert limited.value.retry_after == 10.0
        bench.emulator.clock.advance(9)
    with pytest.raises(RateLimited):
        await bench.publish("Away/Away")
    bench.emulator.clock.advance(11)
    await bench.publish("Away/Away")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (("retry-after", "0.249"), 1.0),
        (("retry-after", "1"), 1.0),
        (("Retry-After", "Tue, 18 Aug 2020 12:52:01 GMT"), 10.0),
        (("Retry-After", "abc"), None),
        (("Retry-After", "-5"), None),
        (("Retry-After", "86400"), 300.0),
        (("X-Other", "1"), None),
    ],
)
def test_case_15_every_way_to_say_how_long_to_wait(header: tuple[str, str], seconds: float | None) -> None:
    date = ("Date", "Tue, 18 Aug 2020 12:51:51 GMT")
    driven = hand(link_of().publish(Publish("Away/Away")), answer(429, "", header, date))
    assert isinstance(driven.error, RateLimited)
    assert driven.error.retry_after == seconds


def test_case_16_the_rate_granted_stays_below_the_smaller_limit() -> None:
    traits = service_of(link_of()).traits
    assert traits.burst + 30 * traits.rate <= 0.8 * 1500


async def test_case_17_each_part_of_a_batch_is_judged_alone() -> None:
    bench = Bench()
    for seconds, times in (("3", 2), ("12", 1)):
        bench.emulator.parts.append(Answer(429, {"retry-after": seconds}, path="setPresence", times=times))
    requests = [write_of(bench, "Away/Away") for _ in range(5)]
    gone = link_of(user=OTHER)
    requests.append(hand(gone.publish(Publish("Away/Away"))).requests[0])
    replies = [reply for reply in await bench.driver.run(bench.service.batch(requests)) if reply is not None]
    assert [reply.status for reply in replies] == [429, 429, 429, 200, 200, 404]
    assert max(retry_after(reply) or 0 for reply in replies) == 12.0
    assert hand(gone.publish(Publish("Away/Away")), replies[5]).error is not None


async def test_case_18_parts_are_found_by_folded_id_and_a_missing_one_is_none() -> None:
    bench = Bench()
    bench.emulator.upper_ids = True
    bench.emulator.parts.append(Answer(hang_up=True, path="clearPresence"))
    requests = [write_of(bench, "Away/Away"), hand(bench.link.sign_out()).requests[0]]
    requests.append(Request("GET", f"{API}/users/{USER}/presence", "read"))
    replies = await bench.driver.run(bench.service.batch(requests))
    assert replies[1] is None
    assert replies[0] is not None
    assert (replies[0].status, replies[0].body) == (200, b"")
    assert replies[2] is not None
    assert replies[2].json()["availability"] == "Away"


async def test_case_19_21_parts_or_a_repeated_id_fail_the_whole_batch() -> None:
    bench = Bench()
    await bench.publish("Away/Away")
    token = dict(bench.driver.tokens["graph"].headers)

    async def status(*ids: str) -> tuple[int, str]:
        parts = [{"id": each, "method": "GET", "url": f"/users/{USER}/presence"} for each in ids]
        reply = await bench.driver.client.post(f"{API}/$batch", json={"requests": parts}, headers=token)
        return reply.status_code, reply.json().get("error", {}).get("code", "")

    assert await status(*map(str, range(21))) == (400, "MaximumValueExceeded")
    assert (await status("a", "A"))[0] == 400
    assert (await status())[0] == 400
    assert (await status(*map(str, range(20))))[0] == 200
    requests = [write_of(bench, "Away/Away") for _ in range(21)]
    assert all(reply and reply.status == 200 for reply in await bench.driver.run(bench.service.batch(requests)))
    assert bench.emulator.faults.count("POST", "batch") == 6


async def test_case_20_what_depends_on_a_failed_part_fails_and_we_build_no_such_chain() -> None:
    bench = Bench()
    await bench.publish("Away/Away")
    bench.emulator.parts.append(Answer(500, path="presence$"))
    chain: list[dict[str, Any]] = [{"id": n, "method": "GET", "url": f"/users/{USER}/presence"} for n in "abc"]
    chain[1]["dependsOn"], chain[2]["dependsOn"] = ["a"], ["b"]
    token = dict(bench.driver.tokens["graph"].headers)
    reply = await bench.driver.client.post(f"{API}/$batch", json={"requests": chain}, headers=token)
    assert {part["id"]: part["status"] for part in reply.json()["responses"]} == {"a": 500, "b": 424, "c": 424}
    assert b"dependsOn" not in (hand(bench.service.batch([write_of(bench, "Away/Away")])).requests[0].body or b"")


async def test_case_21_a_challenge_in_the_second_header_is_answered_with_its_claims_once() -> None:
    bench = Bench()
    await bench.publish("Available/Available")
    bench.emulator.login.challenge = {"nbf": {"essential": True, "value": "1800000000"}}
    await bench.publish("Busy/InACall")
    assert bench.emulator.faults.count("POST", "token") == 2
    assert bench.emulator.faults.count("POST", "setPresence") == 3
    newest = list(bench.emulator.login.grants.values())[-1]
    assert newest.claims["access_token"]["xms_cc"] == {"values": ["cp1"]}
    assert newest.claims["access_token"]["nbf"]["value"] == "1800000000"


async def test_case_22_a_challenge_without_end_is_answered_once() -> None:
    bench = Bench()
    bench.emulator.login.endless = True
    with pytest.raises(AuthRejected):
        await bench.publish("Available/Available")
    assert bench.emulator.faults.count("POST", "token") == 2
    assert bench.emulator.faults.count("POST", "setPresence") == 2


async def test_case_23_a_401_for_one_person_renews_the_token_once() -> None:
    bench = Bench()
    bench.emulator.add_user(OTHER)
    bench.emulator.faults.add(Answer(401, body="Cannot set the presence of another user", times=0, path=OTHER))
    other = bench.service.link("bob", GraphLinkSettings(user=OTHER), {})
    with pytest.raises(AuthRejected):
        await bench.driver.run(other.publish(Publish("Away/Away")))
    await bench.publish("Away/Away")
    assert bench.emulator.faults.count("POST", "token") == 2


async def test_case_24_a_missing_permission_is_named_although_the_message_is_empty() -> None:
    bench = Bench()
    bench.emulator.calls.permitted = False
    with pytest.raises(Rejected, match=r"Presence\.ReadWrite\.All.*HTTP 403, Forbidden") as refused:
        await bench.publish("Away/Away")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 600
    with pytest.raises(Rejected, match="403"):
        await bench.driver.run(bench.service.sweep([bench.link]))


async def test_case_25_the_token_endpoint_is_busy_then_the_secret_has_expired() -> None:
    bench = Bench()
    bench.emulator.faults.add(Answer(503, {"retry-after": "20"}, path="token"))
    with pytest.raises(Unavailable) as busy:
        await bench.publish("Away/Away")
    assert busy.value.retry_after == 20.0
    bench.emulator.login.expired_secret = True
    with pytest.raises(AuthRejected, match="invalid_client AADSTS7000222") as refused:
        await bench.publish("Away/Away")
    assert refused.value.retry_after is None


async def test_case_26_a_token_of_a_day_is_revoked_after_ten_minutes() -> None:
    bench = Bench()
    bench.emulator.login.lifetime = 86_000.0
    await bench.publish("Available/Available")
    assert bench.driver.tokens["graph"].expires_in == 86_000.0
    bench.emulator.clock.advance(600)
    bench.emulator.login.revoke()
    await bench.publish("Available/Available")
    assert bench.emulator.faults.count("POST", "token") == 2


async def test_case_27_a_503_says_that_the_service_is_in_trouble_and_no_more() -> None:
    bench = Bench()
    bench.emulator.faults.add(Answer(503, path="setPresence"))
    with pytest.raises(Unavailable):
        await bench.publish("Away/Away")
    await bench.publish("Away/Away")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(502, "<html>Bad gateway</html>"), Unavailable),
        (answer(400, '{"error": {"code"'), Rejected),
        (answer(400, {"error": {"code": "", "message": "", "innererror": {"date": "x"}}}), Rejected),
        (answer(403, {"innererror": 1}), Rejected),
        (answer(200, '{"id": "x", "availab'), RemoteProtocolError),
    ],
)
def test_case_28_bodies_that_cannot_be_read_do_not_matter(reply: Reply, kind: type[Exception]) -> None:
    assert type(hand(link_of().read(), reply).error) is kind


async def test_case_29_many_people_are_read_in_chunks_and_found_by_id() -> None:
    bench = Bench()
    bench.emulator.calls.reordered = True
    bench.emulator.teams(USER, "Busy", "InAMeeting")
    users = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(650)]
    links = [bench.service.link(user, GraphLinkSettings(user=user), {}) for user in users]
    for user in users[::2]:
        bench.emulator.add_user(user)
    shown = await bench.driver.run(bench.service.sweep([*links, bench.link]))
    assert bench.emulator.faults.count("POST", "getPresencesByUserId") == 2
    assert str(shown[USER].status) == "busy/meeting"
    assert len(shown) == 326
    token = dict(bench.driver.tokens["graph"].headers)
    body = {"ids": [*users, USER]}
    reply = await bench.driver.client.post(f"{API}/communications/getPresencesByUserId", json=body, headers=token)
    assert reply.status_code == 400


async def test_case_29_of_duplicates_the_newest_counts() -> None:
    link = link_of()
    values = [
        {"id": USER, "availability": word, "sequenceNumber": order} for word, order in (("Busy", "9"), ("Away", "8"))
    ]
    assert hand(service_of(link).sweep([link]), answer(200, values)).value[USER].raw == "Busy"


@pytest.mark.parametrize(
    ("availability", "activity", "status"),
    [
        ("busyidle", "Inactive", "busy+idle"),
        ("Focusing", "DoNotDisturb", "dnd/focusing"),
        ("inAMeeting", "busy", "busy/meeting"),
        ("Busy", "InACall + OOF", "busy/call+ooo"),
        ("FutureState", "FutureState", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_case_30_words_of_all_lists_are_read(availability: str | None, activity: str | None, status: str) -> None:
    seen = hand(link_of().read(), answer(200, {"id": USER, "availability": availability, "activity": activity})).value
    assert str(seen.status) == status
    assert seen.raw == (f"{availability}/{activity}" if availability else "null")


def test_case_31_presence_unknown_is_not_offline() -> None:
    body = {"id": USER, "availability": "PresenceUnknown", "activity": "PresenceUnknown"}
    assert hand(link_of().read(), answer(200, body)).value.status == UNKNOWN


async def test_case_32_the_version_is_handed_on_and_may_be_missing() -> None:
    bench = Bench()
    orders = []
    for word in ("Away/Away", "Busy/InACall"):
        await bench.publish(word)
        orders.append((await bench.driver.run(bench.link.read())).order)
    assert isinstance(orders[0], str)
    assert isinstance(orders[1], str)
    assert orders[0] < orders[1]
    bench.emulator.calls.sequence_numbers = False
    assert (await bench.driver.run(bench.link.read())).order is None


async def test_case_33_a_504_may_hide_a_write_that_was_applied() -> None:
    bench = Bench()
    bench.emulator.faults.add(Answer(504, path="setPresence", apply=True))
    with pytest.raises(Unavailable):
        await bench.publish("Away/Away")
    assert await bench.shown() == "away"
    await bench.publish("Busy/InACall", attempt=1)
    assert await bench.shown() == "busy/call"
