"""XML as a plain tree, from expat, with everything dangerous turned off.

The one rule: a document that has a DTD is refused at its first word, so that no entity is ever declared, expanded or
fetched; depth and element count are bounded, and the size was bounded before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat  # DTDs are refused below, which tests prove with the known bombs
from xml.sax.saxutils import escape, quoteattr  # writing only

from presence_syncd.errors import RemoteProtocolError

NAMESPACE = "http://schemas.microsoft.com/rtc/2012/03/ucwa"
"""The namespace of every element of the service, by whatever prefix."""
MAX_DEPTH = 64
MAX_ELEMENTS = 50_000
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes without namespace, child elements and own text."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[Element]:
        """The children of that name, in order."""
        return [child for child in self.children if child.name == name]

    def text_of(self, name: str) -> str:
        """The text of the first child of that name; empty if there is none."""
        return next((child.text.strip() for child in self.all(name)), "")


class _Tree:
    """Builds the tree as expat reports it."""

    def __init__(self) -> None:
        self.open: list[Element] = [Element("", {})]
        self.texts: list[list[str]] = [[]]
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise RemoteProtocolError("the answer's XML is too deep or too long")
        element = Element(_local(name), {key: value for key, value in attributes.items() if " " not in key})
        self.open[-1].children.append(element)
        self.open.append(element)
        self.texts.append([])

    def end(self, _name: str) -> None:
        self.open.pop().text = "".join(self.texts.pop())

    def data(self, text: str) -> None:
        self.texts[-1].append(text)

    def refuse(self, *_facts: object) -> None:
        raise RemoteProtocolError("the answer's XML has a DTD, which is refused")


def parse_xml(body: bytes) -> Element:
    """Read a document; elements of foreign namespaces keep their whole name. Raises RemoteProtocolError."""
    tree = _Tree()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler, parser.EndElementHandler = tree.start, tree.end
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = tree.refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise RemoteProtocolError(f"the answer is not XML ({len(body)} bytes)") from error
    return tree.open[0].children[0]


def _local(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    return local if namespace in ("", NAMESPACE) else name


def write_input(values: dict[str, object]) -> bytes:
    """Write a request body: `<property>` for a text, `<propertyList>` for a list; what XML cannot say becomes `?`."""
    inside = "".join(_property(name, value) for name, value in values.items())
    return f'<?xml version="1.0" encoding="utf-8"?><input xmlns="{NAMESPACE}">{inside}</input>'.encode()


def _property(name: str, value: object) -> str:
    if isinstance(value, list):
        items = "".join(f"<item>{_text(item)}</item>" for item in value)
        return f"<propertyList name={quoteattr(name)}>{items}</propertyList>"
    return f"<property name={quoteattr(name)}>{_text(value)}</property>"


def _text(value: object) -> str:
    return escape(_NOT_XML.sub("?", str(value)))
