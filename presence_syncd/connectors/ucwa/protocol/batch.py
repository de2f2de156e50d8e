"""Several reads in one envelope, and what came back for each.

The one rule: the envelope's status says nothing about its parts; a part that is missing or illegible has no answer,
and nothing is assumed about it. Source: the UCWA page Batching requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from presence_syncd.connectors.flow import Reply
from presence_syncd.errors import RemoteProtocolError

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def write_batch(urls: Sequence[str], accept: str, boundary: str) -> bytes:
    """Write an envelope of GETs."""
    parts = [_part(url, accept, boundary) for url in urls]
    return ("".join(parts) + f"--{boundary}--\r\n").encode()


def _part(url: str, accept: str, boundary: str) -> str:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"--{boundary}\r\nContent-Type: application/http; msgtype=request\r\n\r\n"
    return head + f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: {accept}\r\n\r\n\r\n"


def read_batch(reply: Reply, urls: Sequence[str]) -> list[Reply | None]:
    """Read the parts in the order of the requests; None for each if their number does not fit."""
    found = [_reply(part, reply) for part in _parts(reply)]
    if len(found) != len(urls):
        return [None for _ in urls]
    return found


def _parts(reply: Reply) -> list[bytes]:
    if reply.media_type != "multipart/batching":
        raise RemoteProtocolError(f"the answer to a batch is {reply.media_type or 'of no type'}")
    found = re.search(r'boundary=(?:"([^"]+)"|([^\s;"]+))', reply.header("content-type") or "", re.IGNORECASE)
    if found is None:
        raise RemoteProtocolError("the answer to a batch names no boundary")
    marker = b"--" + (found[1] or found[2]).encode()
    pieces = re.split(rb"(?:^|\r?\n)" + re.escape(marker), reply.body)
    return [piece for piece in pieces[1:] if not piece.startswith(b"--")]


def _reply(part: bytes, outer: Reply) -> Reply | None:
    """Read one part: its own headers, then an HTTP answer with its headers and body."""
    sections = re.split(rb"\r?\n\r?\n", part, maxsplit=2)
    status = _STATUS.match(sections[1].lstrip()) if len(sections) > 1 else None
    if status is None:
        return None
    lines = sections[1].decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    body = sections[2].strip() if len(sections) > 2 else b""
    return Reply(int(status[1]), headers, body, outer.at, outer.started_at, outer.url)
