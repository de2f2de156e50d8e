from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from presence_syncd.connectors.connector import Publish, Published
from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.connectors.symphony.protocol import SymphonyService
from presence_syncd.core.presence import AWAY, BUSY, OFFLINE, UNKNOWN
from presence_syncd.errors import Rejected, RemoteProtocolError
from tests.connectors.symphony.pod import ALICE, BOB, link, obo_settings, presence, reply, service


def obo(**changes: Any) -> SymphonyService:
    return SymphonyService("symphony", obo_settings(**changes))


def asked(flow: Generator[Any, Any, Any]) -> Request:
    step = next(flow)
    assert isinstance(step, Request)
    return step


def end_of(flow: Generator[Any, Any, Any], *replies: Reply) -> Any:
    """Send the replies after the first request; return what the flow returns."""
    try:
        for answer in replies:
            flow.send(answer)
    except StopIteration as end:
        return end.value
    raise AssertionError("the flow wants more")


def write(owner: SymphonyService, publish: Publish, *replies: Reply) -> Published:
    flow = link(owner).publish(publish)
    asked(flow)
    published: Published = end_of(flow, *replies)
    return published


def test_a_service_account_reads_by_id_and_never_locally() -> None:
    request = asked(link(service()).read())
    assert (request.method, request.realm) == ("GET", "bot")
    assert request.url == f"https://pod.example/pod/v3/user/{ALICE}/presence?local=false"


def test_an_app_reads_as_the_user() -> None:
    request = asked(link(obo()).read())
    assert (request.url, request.realm) == ("https://pod.example/pod/v2/user/presence", f"user {ALICE}")
    named = link(obo(), username="alice")
    assert (named.key, asked(named.read()).realm) == ("alice", "username alice")


def test_a_reading_says_when_it_left_and_what_orders_it() -> None:
    flow = link(service()).read()
    asked(flow)
    seen = end_of(flow, presence("BUSY", timestamp=1533928483800))
    assert (seen.status, seen.raw, seen.started_at, seen.at) == (BUSY, "BUSY", 10.0, 11.0)
    assert (seen.order, seen.changed_at) == (1533928483800, 1533928483.8)


def test_a_service_account_writes_for_the_user() -> None:
    request = asked(link(service()).publish(Publish("AWAY")))
    assert (request.method, request.realm) == ("POST", "bot")
    assert request.url == "https://pod.example/pod/v3/user/presence?soft=false"
    assert request.body == b'{"category":"AWAY","userId":14568529068038}'


def test_an_app_writes_as_the_user() -> None:
    request = asked(link(obo()).publish(Publish("AWAY")))
    assert request.url == "https://pod.example/pod/v2/user/presence?soft=false"
    assert (request.body, request.realm) == (b'{"category":"AWAY"}', f"user {ALICE}")


@pytest.mark.parametrize(
    ("owner", "word", "soft"),
    [
        (service(), "AVAILABLE", True),
        (service(), "BUSY", True),
        (service(), "AWAY", False),
        (service(soft="always"), "AWAY", True),
        (service(soft="never"), "AVAILABLE", False),
        (obo(), "AVAILABLE", False),
        (obo(soft="always"), "AVAILABLE", True),
    ],
)
def test_soft_where_a_write_would_make_an_absent_person_look_present(
    owner: SymphonyService, word: str, soft: bool
) -> None:
    assert asked(link(owner).publish(Publish(word))).url.endswith(f"?soft={str(soft).lower()}")


def test_what_the_answer_shows_is_what_will_be_read() -> None:
    published = write(service(), Publish("AVAILABLE"), presence("AWAY", timestamp=5))
    assert published == Published(shown=AWAY, order=5)


def test_an_answer_that_says_nothing_known_is_still_success() -> None:
    assert write(service(), Publish("BUSY"), reply({"category": "MEETING_ROOM"})) == Published()


def test_an_offline_answer_orders_nothing() -> None:
    assert write(service(), Publish("BUSY"), presence("OFFLINE")) == Published(shown=OFFLINE)


@pytest.mark.parametrize("status", [400, 404])
def test_a_refused_write_is_not_repeated(status: int) -> None:
    with pytest.raises(Rejected) as caught:
        write(service(), Publish("BUSY"), reply({"code": 403}, status))
    assert caught.value.status == status


def test_a_service_account_needs_ids() -> None:
    nameless = link(service(), username="alice")
    for flow in (nameless.read(), nameless.publish(Publish("BUSY"))):
        with pytest.raises(Rejected, match="user_id"):
            next(flow)


def test_an_answer_without_an_id_is_taken() -> None:
    flow = link(service()).read()
    asked(flow)
    assert end_of(flow, reply({"category": "BUSY"})).status == BUSY


def test_an_answer_about_somebody_else_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="another user"):
        write(service(), Publish("BUSY"), presence("BUSY", user_id=BOB))


def test_farewells_leave_the_bot_signed_in() -> None:
    for flow in (link(service()).sign_out(), link(service()).retract(overridden=False)):
        assert list(flow) == []


def test_an_app_reads_everybody_alone_and_a_bot_in_sweeps() -> None:
    assert obo().traits.sweep_size == 0
    assert service().traits.sweep_size > 0
    assert (obo().traits.poll_every, service(sweep="0.5s").traits.poll_every) == (15.0, 0.5)


def external(owner: SymphonyService | None = None) -> Any:
    return link(owner or service(), user_id=BOB, external=True, direction="read")


def test_an_external_user_cannot_be_written() -> None:
    with pytest.raises(Rejected, match="another company"):
        next(external().publish(Publish("BUSY")))


def test_an_app_cannot_read_an_external_user() -> None:
    with pytest.raises(Rejected, match="mode admin"):
        next(external(obo()).read())


def test_interest_in_an_external_user_is_registered_first() -> None:
    flow = external().read()
    request = asked(flow)
    assert (request.url, request.body) == (
        "https://pod.example/pod/v1/user/presence/register",
        b"[974217539631]",
    )
    assert flow.send(reply({"format": "TEXT", "message": "OK"})).url.endswith("/presence?local=false")
    assert end_of(flow, presence("AWAY", BOB)).status == AWAY


def test_offline_after_the_interest_lapsed_says_nothing() -> None:
    person = external()
    person._registered_at = 10.0 - 3600.0
    flow = person.read()
    asked(flow)
    assert end_of(flow, presence("OFFLINE", BOB)).status == UNKNOWN
    assert asked(person.read()).operation == "register"
