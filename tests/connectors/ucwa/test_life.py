"""Cases A40-A44 of the sheet, and the days of a link: both directions, evidence, restarts, moves, farewells."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.ucwa.wire import VOCABULARY
from presence_syncd.core.values import replace
from presence_syncd.errors import Rejected, Unavailable
from tests.connectors.ucwa.bench import JSON, SIP, Bench, bench, problem, started
from tests.connectors.ucwa.network import Impatient

LURKER = {"presence_source": "lurker", "direction": "read"}


def posts(b: Bench, path: str) -> int:
    return len(b.recorder.of("POST", path))


async def test_a40_fifty_crashes_leave_one_application() -> None:
    async with bench() as b:
        ids = set()
        for _ in range(50):
            b.start()
            await anyio.sleep(8)
            await b.kill()
            ids.add(b.memory["endpoint_id"])
            b.boot()
        assert len(ids) == 1
        assert len(b.emulator.applications) == 1
        (application,) = b.emulator.applications.values()
        assert application.key[1] == ids.pop()


async def test_a41_an_accepted_write_that_has_no_effect_is_looked_at_once_and_not_repeated() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(204, method="POST", path="me/presence$"))
        reads, seen = len(b.recorder.of("GET", "me/presence")), len(b.observed)
        await b.publish("Busy")
        await anyio.sleep(5.5)
        assert len(b.recorder.of("GET", "me/presence")) == reads
        await anyio.sleep(60)
        assert posts(b, "me/presence") == 1
        assert len(b.recorder.of("GET", "me/presence")) == reads + 1
        assert [o.raw for o in b.observed[seen:]] == ["Online"]


async def test_a_confirmed_write_is_read_once_by_its_event() -> None:
    async with started() as b:
        reads = len(b.recorder.of("GET", "me/presence"))
        await b.publish("Busy")
        await anyio.sleep(60)
        assert len(b.recorder.of("GET", "me/presence")) == reads + 1
        assert b.last == "Busy"


@pytest.mark.parametrize("jump", [7200.0, -7200.0])
async def test_a42_a_wall_clock_that_jumps_moves_no_timer(jump: float) -> None:
    async with started() as b:
        signed_in, reported = len(b.emulator.sign_ins), posts(b, "reportMyActivity")
        b.clock.wall = lambda: 1.8e9 + jump
        await anyio.sleep(3600)
        assert len(b.emulator.sign_ins) == signed_in
        assert 18 <= posts(b, "reportMyActivity") - reported <= 22
        assert b.errors == []


async def test_a43_activity_that_cannot_be_reported_lets_the_state_fade_and_recovers() -> None:
    async with started() as b:
        await anyio.sleep(215)
        b.emulator.client(SIP, None)
        b.emulator.faults.add(Answer(503, path="reportMyActivity", times=0))
        before = posts(b, "reportMyActivity")
        await anyio.sleep(500)
        assert [o.raw for o in b.observed if o.raw != "Online"] == ["IdleOnline"]
        assert posts(b, "reportMyActivity") - before < 45
        await anyio.sleep(300)
        assert b.last == "Away"
        b.emulator.faults.clear()
        await anyio.sleep(60)
        assert b.last == "Online"
        assert b.errors == []


FAREWELLS = [
    problem(404, "NotFound", "ApplicationNotFound"),
    problem(410, "Gone", "None"),
    Answer(500),
    Answer(hang=True),
    Answer(hang_up=True),
]


@pytest.mark.parametrize("farewell", FAREWELLS)
async def test_a44_whatever_the_farewell_is_answered_it_ends_within_five_seconds(farewell: Answer) -> None:
    async with started() as b:
        b.emulator.faults.add(replace(farewell, method="DELETE"))
        with anyio.fail_after(5.5):
            await b.run(b.link.sign_out())
        assert b.state == "stopped"
        assert b.memory["applications"] == ""
        assert b.link.membership.session is None


async def test_signing_out_takes_the_application_down() -> None:
    async with started() as b:
        b.emulator.client(SIP, None)
        await b.kill()
        await b.run(b.link.sign_out())
        assert b.emulator.applications == {}
        assert b.emulator.shown(SIP) == "Offline"
        await b.run(b.link.sign_out())


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_both_directions_work_in_both_formats(form: str) -> None:
    async with started(service={"format": form}) as b:
        for word in ("Busy", "DoNotDisturb", "BeRightBack", "Away", "Online"):
            b.emulator.client(SIP, word)
            await anyio.sleep(6)
            assert b.last == word
        for word in VOCABULARY.echoes:
            await b.publish(word, note="<back> & soon")
            await anyio.sleep(12)
            assert VOCABULARY.is_echo(word, b.observed[-1].status)
        assert [written for _, written in b.emulator.writes] == list(VOCABULARY.echoes)
        assert b.emulator.people[SIP].note == "<back> & soon"
        assert b.observed[-1].note == "<back> & soon"
        events = b.recorder.of("GET", "/events")
        assert {e.headers["accept"] for e in events} == {
            {"json": "application/json", "xml": "application/vnd.microsoft.com.ucwa+xml"}[form]
        }


@pytest.mark.parametrize("shown", ["Busy", "DoNotDisturb", "BeRightBack", "Away"])
async def test_signing_in_claims_what_is_shown_and_changes_nothing(shown: str) -> None:
    async with bench() as b:
        b.emulator.client(SIP, shown)
        b.start()
        for _ in range(30):
            await anyio.sleep(1)
            assert b.emulator.shown(SIP) == shown
        assert b.last == shown
        assert posts(b, "makeMeAvailable") == 1


@pytest.mark.parametrize("sat", [None, "IdleOnline"])
async def test_nobody_who_is_away_or_idle_is_made_to_look_present_by_signing_in(sat: str | None) -> None:
    async with bench() as b:
        b.emulator.client(SIP, sat)
        b.start()
        await anyio.sleep(3600)
        assert b.emulator.shown(SIP) == (sat or "Offline")
        assert b.last == (sat or "Offline")
        assert posts(b, "makeMeAvailable") == posts(b, "reportMyActivity") == 0
        assert b.state == "listen"
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(15)
        assert posts(b, "makeMeAvailable") == 1
        assert b.last == "Busy"


async def test_the_first_published_word_makes_an_absent_person_available_with_that_word() -> None:
    async with bench() as b:
        b.emulator.client(SIP, None)
        b.start()
        await anyio.sleep(30)
        await b.publish("DoNotDisturb")
        assert b.emulator.shown(SIP) == "DoNotDisturb"
        await anyio.sleep(30)
        assert b.last == "DoNotDisturb"


async def test_a_server_that_hides_the_own_address_leaves_the_link_waiting_for_a_word() -> None:
    async with started(own_subscription=False) as b:
        assert b.last == "unseen"
        assert posts(b, "makeMeAvailable") == 0
        assert (await b.run(b.link.read())).raw == "unseen"
        await b.publish("Busy")
        await anyio.sleep(15)
        assert b.last == "Busy"


async def test_where_the_own_address_is_hidden_a_configured_word_is_claimed() -> None:
    async with started(own_subscription=False, link={"sign_in_as": "Away"}) as b:
        assert b.last == "Away"


async def test_a_subscription_that_is_not_found_is_no_lost_application() -> None:
    async with bench() as b:
        b.emulator.faults.add(problem(404, "NotFound", "ApplicationNotFound", path="presenceSubscriptions$", times=0))
        b.start()
        await anyio.sleep(60)
        assert b.last == "unseen"
        assert posts(b, "/applications") == 1


async def test_a_lurker_follows_and_never_claims_or_writes() -> None:
    async with started(link=LURKER) as b:
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"
        with pytest.raises(Rejected):
            await b.publish("Online")
        await anyio.sleep(4000)
        assert posts(b, "makeMeAvailable") == posts(b, "reportMyActivity") == posts(b, "me/presence") == 0
        assert len(b.emulator.people[SIP].endpoints) == 1


async def test_without_proof_no_activity_is_reported_and_the_state_fades() -> None:
    async with started() as b:
        b.present = False
        await b.publish("Online")
        b.emulator.client(SIP, None)
        before = posts(b, "reportMyActivity")
        await anyio.sleep(900)
        assert posts(b, "reportMyActivity") - before <= 1
        assert b.last == "Away"
        b.present = True
        await anyio.sleep(90)
        assert b.last == "Online"


async def test_activity_is_reported_every_three_minutes_while_the_person_is_proven_there() -> None:
    async with started() as b:
        await anyio.sleep(3600)
        times = [s.at for s in b.recorder.of("POST", "reportMyActivity")]
        gaps = [later - at for at, later in pairwise(times)]
        assert all(165 < gap < 195 for gap in gaps)
        assert len(set(gaps)) > 1


async def test_each_report_is_noted_before_it_goes_out_with_how_long_it_shows() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(503, path="reportMyActivity", apply=True))
        await anyio.sleep(600)
        reports = [s.at for s in b.recorder.of("POST", "reportMyActivity")]
        assert len(b.vouched) == len(reports)
        assert all(noted <= at for (noted, _), at in zip(b.vouched, reports, strict=True))
        assert {seconds for _, seconds in b.vouched} == {b.emulator.idle_after}
        noted = len(b.vouched)
        b.present = False
        await anyio.sleep(600)
        assert len(b.vouched) <= noted + 1


async def test_a_word_nobody_can_write_is_refused_without_a_request() -> None:
    async with started() as b:
        with pytest.raises(Rejected, match="Offwork"):
            await b.publish("Offline")
        assert b.emulator.writes == []


async def test_available_may_be_said_by_taking_our_last_word_back() -> None:
    async with started(link={"reset_on_available": True}) as b:
        await b.publish("Online")
        await b.publish("Busy")
        await b.publish("Online")
        assert [written for _, written in b.emulator.writes] == ["Online", "Busy", None]
        (reset,) = [s for s in b.recorder.of("POST", "me/presence") if s.headers["content-length"] == "0"]
        assert "content-type" not in reset.headers


async def test_what_is_ours_is_taken_back_once_and_what_the_person_set_is_left() -> None:
    async with started() as b:
        await b.run(b.link.retract(overridden=False))
        await b.publish("Busy")
        await b.run(b.link.retract(overridden=False))
        await b.run(b.link.retract(overridden=False))
        await b.publish("Away")
        await b.run(b.link.retract(overridden=True))
        assert [written for _, written in b.emulator.writes] == ["Busy", None, "Away"]


async def test_a_note_is_written_removed_and_read_but_an_out_of_office_text_is_not() -> None:
    async with started() as b:
        await b.publish("Busy", note="lunch")
        await anyio.sleep(12)
        assert b.observed[-1].note == "lunch"
        await b.publish("Busy", note="")
        await anyio.sleep(12)
        assert (b.emulator.people[SIP].note, b.observed[-1].note) == ("", "")
        b.emulator.people[SIP].note, b.emulator.people[SIP].note_type = "On holiday", "OutOfOffice"
        b.emulator.client(SIP, "Away")
        b.emulator.announce(b.emulator.people[SIP], "note")
        await anyio.sleep(12)
        assert (b.last, b.observed[-1].note) == ("Away", "")


async def test_reading_once_signs_in_by_itself() -> None:
    async with bench() as b:
        b.emulator.client(SIP, "BeRightBack")
        seen = await b.run(b.link.read())
        assert seen.raw == "BeRightBack"
        assert (await b.run(b.link.read())).raw == "BeRightBack"
        await b.run(b.link.sign_out())
        assert b.emulator.applications == {}


async def test_reading_and_publishing_beside_the_watcher_share_its_application() -> None:
    async with bench() as b:
        b.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(b.publish, "Busy")
            tasks.start_soon(b.publish, "Busy")
        await anyio.sleep(30)
        assert (await b.run(b.link.read())).raw == "Busy"
        assert posts(b, "/applications") == 1


async def test_a_read_before_anything_is_seen_says_so_while_the_watcher_looks() -> None:
    async with bench() as b:
        b.start()
        await anyio.sleep(1)
        with pytest.raises(Unavailable):
            await b.run(b.link.read())


async def test_a_write_to_a_lost_application_is_refused_and_the_next_one_arrives() -> None:
    async with started() as b:
        b.emulator.end_applications("ApplicationNotFound")
        await anyio.sleep(30)
        await b.publish("Busy")
        assert b.emulator.shown(SIP) == "Busy"


async def test_a_resource_that_is_not_found_is_verified_before_the_application_is_given_up() -> None:
    async with started() as b:
        b.emulator.faults.add(
            problem(404, "NotFound", "ApplicationNotFound", method="POST", path="me/presence$"),
            problem(404, "NotFound", "ApplicationNotFound", path="reportMyActivity"),
        )
        with pytest.raises(Unavailable):
            await b.publish("Busy")
        await anyio.sleep(400)
        await b.publish("Busy")
        assert posts(b, "/applications") == 1
        assert b.emulator.shown(SIP) == "Busy"


async def test_a_presence_that_is_not_found_is_read_again_later() -> None:
    async with started() as b:
        b.emulator.faults.add(problem(404, "NotFound", "None", method="GET", path="me/presence$"))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(15)
        assert b.last == "Busy"
        assert posts(b, "/applications") == 1


async def test_activity_without_availability_gets_it_back() -> None:
    async with started() as b:
        for application in b.emulator.applications.values():
            application.available = False
        await anyio.sleep(400)
        assert posts(b, "makeMeAvailable") == 2


async def test_a_read_that_fails_is_tried_again_until_it_works() -> None:
    async with started() as b:
        b.emulator.faults.add(Answer(503, method="GET", path="me/presence$", times=3), JSON([], path="me/presence$"))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(60)
        assert b.last == "Busy"


async def test_a_lurkers_read_that_fails_is_tried_again_until_it_works() -> None:
    async with started(link=LURKER) as b:
        b.emulator.faults.add(Answer(503, method="GET", path="people/.*/presence$", times=2))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(60)
        assert b.last == "Busy"


async def test_after_a_kill_and_restart_of_the_server_the_last_state_is_the_state() -> None:
    async with started() as b:
        b.net.down = True
        await b.net.cut()
        b.emulator.restart()
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(90)
        b.emulator.client(SIP, "DoNotDisturb")
        b.net.down = False
        await anyio.sleep(120)
        assert b.last == "DoNotDisturb"
        assert len(b.emulator.applications) == 1
        await b.publish("Away")
        await anyio.sleep(12)
        assert b.last == "Away"
        assert b.state == "listen"


async def test_a_person_who_is_moved_to_another_pool_is_followed_there() -> None:
    async with started() as b:
        b.emulator.move(SIP, "pool-b")
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(60)
        assert b.last == "Busy"
        (application,) = b.emulator.applications.values()
        await b.publish("Away")
        assert b.recorder.of("POST", "me/presence", "pool-b")
        tokens = {s.token for s in b.recorder.seen if "pool-b" in s.host} & {
            s.token for s in b.recorder.seen if "pool-a" in s.host
        }
        assert tokens <= {""}
        assert application.person.pool == "pool-b"


async def test_tokens_are_renewed_before_they_end_and_nothing_else_notices() -> None:
    async with started(token_seconds=3600.0) as b:
        await anyio.sleep(4 * 3600)
        assert 4 <= len(b.emulator.sign_ins) <= 6
        assert posts(b, "/applications") == 1
        assert b.errors == []
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(10)
        assert b.last == "Busy"


async def test_no_change_is_lost_behind_a_proxy_that_cuts_each_poll_after_a_minute() -> None:
    async with bench() as b:
        b.net.hosts["pool-a.contoso.com"] = Impatient(b.recorder, 60.0)
        b.start()
        await anyio.sleep(45)
        for n in range(60):
            word = ("Busy", "Away", "Online", "DoNotDisturb")[n % 4]
            b.emulator.client(SIP, word)
            await anyio.sleep(13.7)
            assert b.last == word


async def test_a_day_without_events_costs_polls_and_reports_only() -> None:
    async with started() as b:
        count = len(b.recorder.seen)
        await anyio.sleep(86400)
        since = b.recorder.seen[count:]
        signing_in = {("GET", "user"), ("POST", "oauthtoken"), ("GET", "applications")}
        asked = {(s.method, s.path.rpartition("/")[2]) for s in since}
        assert asked <= {("GET", "events"), ("POST", "reportMyActivity"), *signing_in}
        assert len(since) < 480 + 520 + 20
        assert b.errors == []


async def test_a_restarted_daemon_goes_straight_to_its_pool() -> None:
    async with started() as b:
        await b.kill()
        b.boot()
        b.start()
        await anyio.sleep(20)
        assert len([s for s in b.recorder.seen if s.host.startswith("lyncdiscover")]) == 1
        assert len(b.emulator.applications) == 1


async def test_a_remembered_pool_counts_only_under_todays_configuration() -> None:
    async with bench() as b:
        for url in ("https://evil.example/applications", "http://pool-a.contoso.com/a", "https://a@b/c"):
            b.memory["applications"] = url
            b.boot()
            assert b.link.membership.door.applications is None


async def test_half_an_hour_of_listening_forgives_what_was() -> None:
    async with started() as b:
        for _ in range(8):
            b.emulator.end_applications("ApplicationNotFound")
            await anyio.sleep(2000)
        assert b.parked is None
        for _ in range(3):
            b.emulator.end_applications("TooManyApplications")
            await anyio.sleep(4000)
        assert all(error.retry_after in (None, 900.0) for error in b.errors)
