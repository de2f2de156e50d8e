"""What we send, and what the emulator answers, is what the official descriptions allow."""

from __future__ import annotations

import pytest
from jsonschema import ValidationError

from presence_syncd.connectors.connector import Link, Publish, Service
from presence_syncd.connectors.flow import Flow, Reply, Request
from presence_syncd.connectors.symphony.protocol import SymphonyService
from presence_syncd.errors import ServiceError
from tests.connectors.driver import Driver
from tests.connectors.symphony.description import check_answer, check_request, description
from tests.connectors.symphony.pod import ALICE, BOB, Pod, keys, link, obo_settings, settings


class Recorder(Driver):
    """The tiny engine, noting each request with the headers of its token, and each answer."""

    def __init__(self, pod: Pod, owner: Service | Link) -> None:
        super().__init__(pod.emulator.app, owner, clock=pod.emulator.clock, secrets={"env KEY": keys()[0]})
        self.seen: list[tuple[Request, set[str], Reply]] = []

    async def _send(self, request: Request, token: tuple[tuple[str, str], ...]) -> Reply:
        reply = await super()._send(request, token)
        self.seen.append((request, {name.lower() for name, _ in token}, reply))
        return reply

    async def try_all(self, *flows: Flow[object]) -> None:
        """Run flows, whatever becomes of them."""
        for flow in flows:
            try:
                await self.run(flow)
            except ServiceError:
                continue

    def check(self) -> set[str]:
        """Hold everything against the descriptions; returns the operations that were seen."""
        for request, headers, reply in self.seen:
            check_request(request, headers)
            check_answer(request, reply.status, reply.body)
        return {request.operation for request, _, _ in self.seen}


@pytest.fixture(autouse=True)
def descriptions() -> None:
    """Skip where the descriptions are not there."""
    description("/pod")
    description("/login")


def writes(person: Link, owner: SymphonyService) -> list[Flow[object]]:
    return [person.publish(Publish(word, attempt=n)) for n, word in enumerate(owner.vocabulary.echoes)]


async def test_a_service_account_speaks_as_described() -> None:
    pod = Pod()
    owner = SymphonyService("s", settings(dnd_as="DO_NOT_DISTURB", off_work_as="OFF_WORK"))
    listing = SymphonyService("s", settings(list_above=0))
    recorder = Recorder(pod, owner)
    pod.emulator.add_user(77, "outsider", external=True)
    person = link(owner)
    await recorder.try_all(
        person.read(),
        *writes(person, owner),
        owner.sweep([person]),
        listing.sweep([link(listing), link(listing, user_id=BOB)]),
        link(owner, user_id=77, external=True, direction="read").read(),
    )
    assert recorder.check() == {"login", "read", "write", "list", "register"}


async def test_an_app_speaks_as_described() -> None:
    pod = Pod()
    owner = SymphonyService("s", obo_settings(soft="always"))
    recorder = Recorder(pod, owner)
    person, named = link(owner), link(owner, username="bob")
    await recorder.try_all(person.read(), named.read(), *writes(person, owner))
    assert recorder.check() == {"login", "login_user", "read", "write"}


async def test_refusals_are_as_described() -> None:
    pod = Pod()
    owner = pod.service
    recorder = Recorder(pod, owner)
    await recorder.try_all(link(owner, user_id=5).read(), link(owner, user_id=5).publish(Publish("BUSY")))
    pod.emulator.may_write = False
    await recorder.try_all(link(owner).publish(Publish("BUSY")))
    pod.emulator.revoke()
    pod.emulator.sessions.keys.clear()
    await recorder.try_all(link(owner).read())
    recorder.check()
    assert {reply.status for _, _, reply in recorder.seen} == {200, 401, 403, 404}


async def test_an_app_that_is_not_installed_is_refused_as_described() -> None:
    pod = Pod()
    pod.emulator.uninstall(ALICE)
    owner = SymphonyService("s", obo_settings())
    recorder = Recorder(pod, owner)
    await recorder.try_all(link(owner).read())
    recorder.check()
    assert [reply.status for _, _, reply in recorder.seen] == [200, 403]


PRESENCE = "https://x/pod/v2/user/presence"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("wrong", "headers"),
    [
        (Request("PUT", PRESENCE, "write"), {"sessiontoken"}),
        (Request("GET", "https://x/pod/v2/user/1/presence", "read"), {"sessiontoken"}),
        (Request("GET", PRESENCE, "read"), set()),
        (Request("GET", f"{PRESENCE}?soft=true", "read"), {"sessiontoken"}),
        (Request("GET", PRESENCE, "read", body=b"{}"), {"sessiontoken"}),
        (Request("POST", f"{PRESENCE}?soft=yes", "write", JSON, b'{"category":"BUSY"}'), {"sessiontoken"}),
        (Request("POST", PRESENCE, "write", {"content-type": "text/plain"}, b'{"category":"BUSY"}'), {"sessiontoken"}),
        (Request("POST", PRESENCE, "write", JSON, b'{"status":"BUSY"}'), {"sessiontoken"}),
        (Request("GET", "https://x/pod/v3/user/alice/presence", "read"), {"sessiontoken"}),
    ],
)
def test_a_request_that_is_not_described_is_found(wrong: Request, headers: set[str]) -> None:
    with pytest.raises((AssertionError, ValidationError)):
        check_request(wrong, headers)
