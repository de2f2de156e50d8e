"""The event channel's answers: pages of events with the link that acknowledges them.

The one rule: following `next` is the acknowledgement, so a link is used exactly as it came, plus the time-outs the
server is to keep; a page that cannot be read whole yields no link at all. Sources: the UCWA pages Event channel
details, Events in UCWA and events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from presence_syncd.connectors.flow import Reply
from presence_syncd.connectors.ucwa.protocol.markup import Element, parse_xml
from presence_syncd.connectors.ucwa.protocol.resource import (
    Resource,
    is_xml,
    json_document,
    json_resource,
    xml_resource,
)
from presence_syncd.errors import RemoteProtocolError

POLL_SECONDS = 180
"""After how long the server is to answer without events; its documents allow no less."""
MEDIUM_SECONDS = 5
"""How long it may hold back news of medium priority, the own presence; its documents allow no less."""
POLL_DEADLINE = POLL_SECONDS + 45.0
"""When a poll without an answer is given up, in seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: who sent it (`me`, `people`), its type, the resource it is about and, perhaps, that resource."""

    sender: str
    type: str
    rel: str
    href: str
    embedded: Resource | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the channel. `follow` is the link to poll next, empty if there is none.

    `resync`: the acknowledgement was lost, everything must be read again. `resume`: the server forgot what does not
    last (subscriptions) because nobody asked for long.
    """

    events: tuple[Event, ...]
    follow: str
    resync: bool = False
    resume: bool = False


def with_timers(url: str) -> str:
    """Append the time-outs to a channel link whose own query stays as it is, letter for letter."""
    address, _, query = url.partition("#")[0].partition("?")
    timers = {"timeout": POLL_SECONDS, "medium": MEDIUM_SECONDS}
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0].lower() not in timers]
    return address + "?" + "&".join([*kept, *(f"{name}={value}" for name, value in timers.items())])


def read_page(reply: Reply) -> Page:
    """Read a page, JSON or XML. Raises RemoteProtocolError."""
    if is_xml(reply):
        root = parse_xml(reply.body)
        if root.name != "events":
            raise RemoteProtocolError("the answer of the event channel is XML, but no events")
        return _page(xml_resource(root).links, tuple(_xml_events(root)))
    data = json_document(reply)
    return _page(json_resource(data).links, tuple(_json_events(data)))


def _page(links: Mapping[str, str], events: tuple[Event, ...]) -> Page:
    rel = next((rel for rel in ("resync", "resume", "next") if links.get(rel)), "")
    return Page(events, links.get(rel, ""), resync=rel == "resync", resume=rel == "resume")


def _json_events(data: Mapping[str, Any]) -> Iterator[Event]:
    for sender in _dicts(data.get("sender")):
        for event in _dicts(sender.get("events")):
            link = event.get("link")
            if isinstance(link, dict):
                rel = str(link.get("rel", ""))
                yield Event(
                    sender=str(sender.get("rel", "")),
                    type=str(event.get("type", "")),
                    rel=rel,
                    href=str(link.get("href", "")),
                    embedded=_embedded(event.get("_embedded"), rel),
                )


def _embedded(embedded: object, rel: str) -> Resource | None:
    inner = embedded.get(rel) if isinstance(embedded, dict) else None
    return json_resource(inner, rel) if isinstance(inner, dict) else None


def _dicts(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _xml_events(root: Element) -> Iterator[Event]:
    for sender in root.all("sender"):
        for event in sender.children:
            resources = event.all("resource")
            yield Event(
                sender=sender.attributes.get("rel", ""),
                type=event.name,
                rel=event.attributes.get("rel", ""),
                href=event.attributes.get("href", ""),
                embedded=xml_resource(resources[0]) if resources else None,
            )
