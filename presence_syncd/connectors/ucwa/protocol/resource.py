"""Resources as the service sends them, in JSON or in XML, as one value.

The one rule: what is read is tolerant (unknown members, links that are lists, missing parts), what follows a link is
not: hrefs are kept as they came, and judged where they are followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from presence_syncd.connectors.flow import Reply, json_body
from presence_syncd.connectors.ucwa.protocol.markup import Element, parse_xml, write_input
from presence_syncd.connectors.ucwa.settings import Format
from presence_syncd.errors import RemoteProtocolError

JSON_TYPES = frozenset(
    {"application/json", "application/vnd.microsoft.com.ucwa+json", "application/vnd.microsoft.ucwa+json"}
)
XML_TYPES = frozenset(
    {"application/xml", "application/vnd.microsoft.com.ucwa+xml", "application/vnd.microsoft.ucwa+xml"}
)
ACCEPT = {Format.JSON: "application/json", Format.XML: "application/vnd.microsoft.com.ucwa+xml"}
"""What is asked for; XML events come only with the precise type."""
CONTENT = {Format.JSON: "application/json", Format.XML: "application/vnd.microsoft.com.ucwa+xml"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `properties` are texts (booleans in lower case), `links` the first href of each rel, as it came."""

    rel: str = ""
    href: str = ""
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    embedded: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict, repr=False)

    def inner(self, rel: str) -> Resource:
        """The first embedded resource of that rel; an empty one if there is none."""
        return next(iter(self.embedded.get(rel, ())), Resource(rel))


def is_theirs(reply: Reply) -> bool:
    """Whether the service itself answered; anything but JSON or XML comes from something in between."""
    return reply.media_type in JSON_TYPES | XML_TYPES


def is_xml(reply: Reply) -> bool:
    """Whether the body is the service's XML."""
    return reply.media_type in XML_TYPES


def read_resource(reply: Reply) -> Resource:
    """Read the resource in a reply. Raises RemoteProtocolError."""
    if is_xml(reply):
        return xml_resource(parse_xml(reply.body))
    return json_resource(json_document(reply))


def json_document(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of a reply that says it is JSON. Raises RemoteProtocolError."""
    if reply.media_type not in JSON_TYPES:
        raise RemoteProtocolError(f"something between answered with {reply.media_type or 'no type'}")
    return reply.json_object()


def json_resource(data: object, rel: str = "") -> Resource:
    """Read a JSON resource; whatever has an unexpected shape is left out."""
    value = data if isinstance(data, dict) else {}
    links = dict(_json_links(value.get("_links")))
    embedded = value.get("_embedded")
    return Resource(
        rel=str(value.get("rel", rel)),
        href=links.get("self", ""),
        properties=dict(_json_properties(value)),
        links=links,
        embedded={name: _json_embedded(name, inner) for name, inner in embedded.items()}
        if isinstance(embedded, dict)
        else {},
    )


def _json_embedded(rel: str, inner: object) -> tuple[Resource, ...]:
    return tuple(json_resource(one, rel) for one in (inner if isinstance(inner, list) else [inner]))


def _json_links(links: object) -> Iterator[tuple[str, str]]:
    for rel, link in links.items() if isinstance(links, dict) else ():
        first = link[0] if isinstance(link, list) and link else link
        if isinstance(first, dict) and isinstance(first.get("href"), str):
            yield rel, first["href"]


def _json_properties(value: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, bool):
            yield name, str(inner).lower()
        elif isinstance(inner, (str, int, float)):
            yield name, str(inner)


def xml_resource(element: Element) -> Resource:
    """Read an XML resource (`<resource>`, or any element that carries rel and href)."""
    inner: dict[str, tuple[Resource, ...]] = {}
    for child in element.all("resource"):
        rel = child.attributes.get("rel", "")
        inner[rel] = (*inner.get(rel, ()), xml_resource(child))
    links: dict[str, str] = {}
    for link in element.all("link"):
        links.setdefault(link.attributes.get("rel", ""), link.attributes.get("href", ""))
    href = element.attributes.get("href", "")
    return Resource(
        rel=element.attributes.get("rel", ""),
        href=href,
        properties={p.attributes.get("name", ""): _xml_text(p.text) for p in element.all("property")},
        links={**links, "self": href} if href else links,
        embedded=inner,
    )


def _xml_text(text: str) -> str:
    stripped = text.strip()
    return stripped.lower() if stripped.lower() in ("true", "false") else stripped


def write_body(form: Format, values: dict[str, object]) -> bytes:
    """Write a request body."""
    return write_input(values) if form is Format.XML else json_body(values)
