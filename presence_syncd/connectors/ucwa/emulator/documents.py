"""How the emulated server writes and reads: resources, errors and event pages, in JSON and in XML.

Written from the UCWA pages Payload format, Errors and informational messages, and Event channel details.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import Response

NS = "http://schemas.microsoft.com/rtc/2012/03/ucwa"
PRECISE_XML = "application/vnd.microsoft.com.ucwa+xml"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'


@dataclass(slots=True)
class Doc:
    """One resource to be written."""

    rel: str
    href: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    embedded: list[Doc] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """The resource as JSON: properties as members, links and embedded resources beside them."""
        links = {"self": self.href, **self.links} if self.href else self.links
        value: dict[str, Any] = {**self.properties, "_links": {rel: {"href": href} for rel, href in links.items()}}
        if self.embedded:
            value["_embedded"] = {doc.rel: doc.json() for doc in self.embedded}
        return {**value, "rel": self.rel}

    def xml(self, *, root: bool = True) -> str:
        """The resource as XML: `<resource>` with `<link>`, `<property>` and nested resources."""
        space = f" xmlns={quoteattr(NS)}" if root else ""
        links = "".join(f"<link rel={quoteattr(rel)} href={quoteattr(href)}/>" for rel, href in self.links.items())
        properties = "".join(_property(name, value) for name, value in {"rel": self.rel, **self.properties}.items())
        inner = "".join(doc.xml(root=False) for doc in self.embedded)
        names = f"rel={quoteattr(self.rel)} href={quoteattr(self.href)}{space}"
        return f"<resource {names}>{links}{properties}{inner}</resource>"


def _property(name: str, value: Any) -> str:
    if isinstance(value, list):
        items = "".join(f"<item>{escape(str(item))}</item>" for item in value)
        return f"<propertyList name={quoteattr(name)}>{items}</propertyList>"
    return f"<property name={quoteattr(name)}>{escape(str(value))}</property>"


def wants_xml(request: Request) -> bool:
    """Whether the caller asked for XML."""
    return "xml" in request.headers.get("accept", "")


def answer(request: Request, doc: Doc, status: int = 200) -> Response:
    """Write a resource in the asked format."""
    return written(request, json.dumps(doc.json()), doc.xml(), status)


def written(request: Request, as_json: str, as_xml: str, status: int = 200) -> Response:
    """Send one of two texts, by what was asked for."""
    if not wants_xml(request):
        return Response(as_json, status, media_type="application/json")
    kind = PRECISE_XML if PRECISE_XML in request.headers["accept"] else "application/xml"
    return Response(_HEAD + as_xml, status, media_type=f"{kind}; charset=utf-8")


def problem(request: Request, status: int, code: str, subcode: str = "") -> Response:
    """Write an error."""
    value = {"code": code, "subcode": subcode or "None", "message": "emulated"}
    parts = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in value.items())
    return written(request, json.dumps(value), f"<reason xmlns={quoteattr(NS)}>{parts}<debugInfo/></reason>", status)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: sender and its href, type, the resource's rel and href, and the collection it is in."""

    sender: str
    sender_href: str
    type: str
    rel: str
    href: str
    inside: tuple[str, str] | None = None


def page(request: Request, links: dict[str, str], events: list[Happening]) -> Response:
    """Write one page of the event channel."""
    senders: list[tuple[Happening, list[Happening]]] = []
    for event in events:
        if not senders or senders[-1][0].sender != event.sender:
            senders.append((event, []))
        senders[-1][1].append(event)
    value: dict[str, Any] = {"_links": {rel: {"href": href} for rel, href in links.items()}}
    if events:
        value["sender"] = [
            {"rel": first.sender, "href": first.sender_href, "events": [_event(event) for event in group]}
            for first, group in senders
        ]
    shown = "".join(
        f"<link rel={quoteattr(rel)} href={quoteattr(href)}/>" for rel, href in links.items() if rel != "self"
    )
    inner = "".join(_sender(first, group) for first, group in senders)
    return written(
        request,
        json.dumps(value),
        f"<events href={quoteattr(links['self'])} xmlns={quoteattr(NS)}>{shown}{inner}</events>",
    )


def _event(event: Happening) -> dict[str, Any]:
    value: dict[str, Any] = {"link": {"rel": event.rel, "href": event.href}, "type": event.type}
    if event.inside:
        value["in"] = {"rel": event.inside[0], "href": event.inside[1]}
    return value


def _sender(first: Happening, group: list[Happening]) -> str:
    events = "".join(f"<{e.type} rel={quoteattr(e.rel)} href={quoteattr(e.href)}/>" for e in group)
    return f"<sender rel={quoteattr(first.sender)} href={quoteattr(first.sender_href)}>{events}</sender>"


async def input_of(request: Request) -> dict[str, Any]:
    """Read a request's input, names in lower case: query, then JSON or `<input>`. Raises ValueError."""
    values: dict[str, Any] = {name.lower(): value for name, value in request.query_params.items()}
    body = await request.body()
    if body:
        is_xml = "xml" in request.headers.get("content-type", "")
        parsed = _xml_input(body) if is_xml else json.loads(body)
        values |= {str(name).lower(): value for name, value in parsed.items()}
    return values


def _xml_input(body: bytes) -> dict[str, Any]:
    """Read `<input>` with its properties and lists."""
    values: dict[str, Any] = {}
    name, text = "", ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal name, text
        text, name = "", attributes.get("name", name)
        if tag.endswith("propertyList"):
            values[name] = []

    def end(tag: str) -> None:
        if tag.endswith("item"):
            values[name].append(text)
        elif tag.endswith("property"):
            values[name] = text

    def data(more: str) -> None:
        nonlocal text
        text += more

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError("not XML") from error
    return values
