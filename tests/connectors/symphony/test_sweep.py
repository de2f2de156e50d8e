from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from presence_syncd.connectors.connector import Link
from presence_syncd.connectors.flow import Flow, Reply, Request
from presence_syncd.connectors.symphony.protocol import SymphonyService
from presence_syncd.connectors.symphony.sweep import CONFIRMED, PAGE
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.symphony.pod import link, presence, reply, service

Answering = Callable[[Request], Reply]


def play(flow: Flow[dict[str, Any]], answer: Answering) -> tuple[dict[str, str], list[str]]:
    """Run a sweep; return what it shows in the service's words, and the paths it asked."""
    urls: list[str] = []
    try:
        step = next(flow)
        while True:
            assert isinstance(step, Request)
            urls.append(step.url.removeprefix("https://pod.example/pod"))
            step = flow.send(answer(step))
    except StopIteration as end:
        return {key: seen.raw for key, seen in end.value.items()}, urls


def links(owner: SymphonyService, *ids: int) -> list[Link]:
    return [link(owner, user_id=user_id) for user_id in ids]


def id_of(request: Request) -> int:
    return int(request.url.split("/user/")[1].split("/")[0])


def each(statuses: Mapping[int, int]) -> Answering:
    """Answer readings of one user with BUSY, or with the status given for the user."""
    return lambda request: presence("BUSY", id_of(request), status=statuses.get(id_of(request), 200))


def pod(listed: Mapping[int, str], alone: Mapping[int, str] | None = None) -> Answering:
    """Answer with the list, in one page, and readings of one user."""

    def answer(request: Request) -> Reply:
        if "/users/" in request.url:
            return reply([{"category": word, "userId": user} for user, word in listed.items()])
        return presence((alone or {}).get(id_of(request), "OFFLINE"), id_of(request))

    return answer


def test_few_users_are_read_alone() -> None:
    owner = service()
    seen, urls = play(owner.sweep(links(owner, 1, 2)), each({}))
    assert seen == {"1": "BUSY", "2": "BUSY"}
    assert urls == [f"/v3/user/{user}/presence?local=false" for user in (1, 2)]


def test_many_users_are_read_from_the_list_less_often() -> None:
    owner = service(list_above=1)
    seen, urls = play(owner.sweep(links(owner, 5, 7)), pod({5: "BUSY", 6: "AWAY", 7: "AVAILABLE"}))
    assert seen == {"5": "BUSY", "7": "AVAILABLE"}
    assert urls == [f"/v2/users/presence?lastUserId=5&limit={PAGE}"]
    assert owner.traits.poll_every == 60.0
    play(owner.sweep(links(owner, 5)), each({}))
    assert owner.traits.poll_every == 15.0


def test_nobody_is_read_when_there_is_nobody() -> None:
    assert play(service(list_above=0).sweep([]), each({})) == ({}, [])


def test_links_of_their_own_pace_or_without_an_id_are_not_swept() -> None:
    owner = service()
    others = [link(owner, user_id=1, external=True, direction="read"), link(owner, username="alice")]
    assert play(owner.sweep(others), each({})) == ({}, [])


def test_one_users_trouble_is_that_users() -> None:
    owner = service()
    seen, _ = play(owner.sweep(links(owner, 1, 2, 3)), each({2: 500}))
    assert seen == {"1": "BUSY", "3": "BUSY"}
    _, urls = play(owner.sweep(links(owner, 1, 2, 3)), each({}))
    assert len(urls) == 2
    _, urls = play(owner.sweep(links(owner, 1, 2, 3)), each({}))
    assert len(urls) == 3


def test_stops_at_the_second_failure_in_a_row_and_reads_those_behind_next_time() -> None:
    owner = service()
    seen, urls = play(owner.sweep(links(owner, 1, 2, 3, 4)), each({2: 500, 3: 502}))
    assert (seen, len(urls)) == ({"1": "BUSY"}, 3)
    seen, _ = play(owner.sweep(links(owner, 1, 2, 3, 4)), each({2: 500, 3: 502}))
    assert seen == {"1": "BUSY", "4": "BUSY"}


def test_failures_with_a_success_between_them_stop_nothing() -> None:
    seen, _ = play((owner := service()).sweep(links(owner, 1, 2, 3, 4)), each({1: 500, 3: 500}))
    assert seen == {"2": "BUSY", "4": "BUSY"}


@pytest.mark.parametrize(
    ("status", "error", "asked"), [(503, Unavailable, 2), (429, RateLimited, 2), (403, Rejected, 3)]
)
def test_a_sweep_that_read_nobody_says_why(status: int, error: type[Exception], asked: int) -> None:
    owner = service()
    requests: list[Request] = []

    def answer(request: Request) -> Reply:
        requests.append(request)
        return reply({}, status)

    with pytest.raises(error):
        play(owner.sweep(links(owner, 1, 2, 3)), answer)
    assert len(requests) == asked


def test_a_refused_login_ends_the_sweep_at_once() -> None:
    owner = service()
    flow = owner.sweep(links(owner, 1, 2))
    next(flow)
    with pytest.raises(AuthRejected):
        flow.throw(AuthRejected("no"))


def test_a_user_seen_alone_after_two_misses_is_not_offline() -> None:
    owner = service(list_above=1)
    people = links(owner, 1, 2)
    answer = pod({1: "BUSY"}, alone={2: "AWAY"})
    assert play(owner.sweep(people), answer)[0] == {"1": "BUSY"}
    assert play(owner.sweep(people), answer)[0] == {"1": "BUSY", "2": "AWAY"}
    assert play(owner.sweep(people), answer)[0] == {"1": "BUSY", "2": "AWAY"}


def test_a_confirmed_absence_is_not_asked_for_again() -> None:
    owner = service(list_above=1)
    people = links(owner, 1, 2)
    answer = pod({1: "BUSY"})
    asked = [len(play(owner.sweep(people), answer)[1]) for _ in range(4)]
    assert asked == [1, 2, 1, 1]
    assert play(owner.sweep(people), answer)[0] == {"1": "BUSY", "2": "(not listed)"}


def test_so_many_missing_are_not_all_asked_for() -> None:
    owner = service(list_above=1)
    people = links(owner, *range(1, CONFIRMED + 11))
    play(owner.sweep(people), pod({}))
    seen, urls = play(owner.sweep(people), pod({}))
    assert len(urls) == 1 + CONFIRMED
    assert sorted(seen.values()) == ["(not listed)"] * 10 + ["OFFLINE"] * CONFIRMED


def test_a_missing_user_who_cannot_be_asked_for_stays_unsaid() -> None:
    owner = service(list_above=1)
    people = links(owner, 1, 2)

    def answer(request: Request) -> Reply:
        return pod({1: "BUSY"})(request) if "/users/" in request.url else reply({}, 500)

    assert [play(owner.sweep(people), answer)[0] for _ in range(4)] == [{"1": "BUSY"}] * 4


def test_what_is_no_record_hides_nobody() -> None:
    owner = service(list_above=0)
    items = [None, {"category": "BUSY"}, {"category": "AWAY", "userId": 1}]
    assert play(owner.sweep(links(owner, 1)), lambda _: reply(items))[0] == {"1": "AWAY"}


@pytest.mark.parametrize("body", [{}, "BUSY", None])
def test_what_is_no_list_is_refused(body: object) -> None:
    owner = service(list_above=0)
    with pytest.raises(RemoteProtocolError):
        play(owner.sweep(links(owner, 1)), lambda _: reply(body))


def test_pages_are_read_as_far_as_our_people_go() -> None:
    owner = service(list_above=1)
    ids = list(range(10, 10 + 3 * PAGE))

    def answer(request: Request) -> Reply:
        start = int(request.url.split("lastUserId=")[1].split("&")[0])
        return reply([{"category": "BUSY", "userId": user} for user in ids if user >= start][:PAGE])

    seen, urls = play(owner.sweep(links(owner, 12, 12 + PAGE)), answer)
    assert (len(seen), len(urls)) == (2, 2)


def test_a_pod_that_gives_the_same_full_page_again_ends_the_list() -> None:
    owner = service(list_above=0)
    page = reply([{"category": "BUSY", "userId": user} for user in range(PAGE)])
    pages = iter([page, page])
    seen, urls = play(owner.sweep(links(owner, 1, 10 * PAGE)), lambda _: next(pages))
    assert (seen, len(urls)) == ({"1": "BUSY"}, 2)
