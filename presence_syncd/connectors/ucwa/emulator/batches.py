"""Several requests in one envelope, carried out one after the other by the emulated server itself.

Written from the UCWA page Batching requests.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

_LINE = re.compile(rb"(GET|POST) (\S+) HTTP/1\.1")


async def batch_answer(request: Request, app: ASGIApp) -> Response:
    """Carry out the parts; what the envelope says about who asks holds for each."""
    found = re.search(r'boundary="?([^";]+)', request.headers.get("content-type", ""))
    marker = b"--" + (found[1] if found else "").encode()
    parts = [_LINE.search(part) for part in (await request.body()).split(marker)[1:-1]]
    answers = [await _carry_out(request, app, part[1].decode(), part[2].decode()) for part in parts if part]
    body = b"".join(b"--batch\r\nContent-Type: application/http; msgtype=response\r\n\r\n" + one for one in answers)
    return Response(body + b"--batch--\r\n", media_type='multipart/batching; boundary="batch"')


async def _carry_out(request: Request, app: ASGIApp, method: str, target: str) -> bytes:
    path, _, query = target.partition("?")
    scope = dict(request.scope)
    headers = [(name, value) for name, value in scope["headers"] if name in (b"authorization", b"host")]
    accept = b"application/vnd.microsoft.com.ucwa+xml" if b"ucwa+xml" in await request.body() else b"application/json"
    scope |= {"method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    scope["headers"] = [*headers, (b"accept", accept)]
    for key in ("endpoint", "path_params", "route", "router", "state"):
        scope.pop(key, None)
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    head = b"".join(name + b": " + value + b"\r\n" for name, value in said[0]["headers"])
    body = b"".join(message.get("body", b"") for message in said[1:])
    return b"HTTP/1.1 %d OK\r\n%s\r\n%s\r\n" % (said[0]["status"], head, body)
