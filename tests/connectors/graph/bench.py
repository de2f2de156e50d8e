"""What the tests of Graph share: settings of the emulated tenant, a person in it, and flows driven by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from presence_syncd.connectors.connector import Link, Publish, Published
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal
from presence_syncd.connectors.graph.emulator import CLIENT_ID, CLIENT_SECRET, TENANT, GraphEmulator
from presence_syncd.connectors.graph.protocol import GraphLink, GraphService
from presence_syncd.connectors.graph.settings import GraphLinkSettings, GraphSettings
from presence_syncd.errors import ServiceError
from tests.connectors.driver import Driver

USER = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3"
OTHER = "11111111-2222-3333-4444-555555555555"
ROOT = "http://localhost"
API = f"{ROOT}/v1.0"
SECRETS = {"env GRAPH_SECRET": CLIENT_SECRET}
T = TypeVar("T")


def table(**changes: Any) -> dict[str, Any]:
    """The smallest table for the emulated tenant, with changes; None takes a key away."""
    base = {
        "type": "graph",
        "tenant": TENANT,
        "client_id": CLIENT_ID,
        "client_secret": {"env": "GRAPH_SECRET"},
        "login_url": ROOT,
        "graph_url": ROOT,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def settings(**changes: Any) -> GraphSettings:
    """The settings of the emulated tenant."""
    return GraphSettings.model_validate(table(**changes))


def link_of(memory: dict[str, str] | None = None, user: str = USER, **changes: Any) -> GraphLink:
    """A person's link."""
    service = GraphService("teams", settings(**changes))
    return service.link("alice", GraphLinkSettings(user=user), memory or {})


def service_of(link: Link) -> GraphService:
    """The service of a link."""
    assert isinstance(link.service, GraphService)
    return link.service


class Bench:
    """An emulated tenant with one person, our link to them, and a driver between."""

    def __init__(self, emulator: GraphEmulator | None = None, **changes: Any) -> None:
        self.emulator = emulator or GraphEmulator(EmulatedClock())
        self.emulator.add_user(USER)
        self.link = link_of(**changes)
        self.service: GraphService = service_of(self.link)
        self.driver = Driver(self.emulator.app, self.link, clock=self.emulator.clock, secrets=SECRETS)

    async def publish(self, word: str, **more: Any) -> Published:
        """Write one word."""
        return await self.driver.run(self.link.publish(Publish(word, **more)))

    async def shown(self) -> str:
        """What a read shows, as text."""
        return str((await self.driver.run(self.link.read())).status)

    @property
    def said(self) -> list[tuple[str, str]]:
        """The writes the tenant accepted."""
        return [(write.action, write.value) for write in self.emulator.writes]


def answer(status: int = 200, body: Any = None, *headers: tuple[str, str], at: float = 10.0) -> Reply:
    """A reply as the engine would send it; a body that is no text is JSON."""
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    return Reply(status, headers, text.encode(), at, at - 1.0, "")


@dataclass(slots=True)
class Driven:
    """What a flow driven by hand did."""

    requests: list[Request] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)
    value: Any = None
    error: ServiceError | None = None

    @property
    def actions(self) -> list[str]:
        """The last part of each address."""
        return [request.url.rpartition("/")[2] for request in self.requests]

    def body(self, number: int) -> Any:
        """The JSON of one request."""
        return json.loads(self.requests[number].body or b"null")


def hand(flow: Flow[Any], *replies: Reply) -> Driven:
    """Drive a flow: requests get the replies in turn, then 200; secrets are `s3cret`."""
    done, queue = Driven(), list(replies)
    sent: Any = None
    try:
        while True:
            step = flow.send(sent)
            done.steps.append(step)
            sent = None
            if isinstance(step, Request):
                done.requests.append(step)
                sent = queue.pop(0) if queue else answer()
            elif isinstance(step, Reveal):
                sent = Secret("s3cret")
    except StopIteration as end:
        done.value = end.value
    except ServiceError as error:
        done.error = error
    return done
