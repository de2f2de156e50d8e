"""Windows sign-in over HTTP: a real NTLM handshake with pyspnego on both sides."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from presence_syncd.connectors.flow import Request
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.transport import Transport
from presence_syncd.engine.windows import WindowsAuth, _offered
from presence_syncd.errors import AuthRejected

spnego = pytest.importorskip("spnego", reason="pyspnego is not installed")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server side know one user (the file pyspnego's NTLM acceptor reads)."""
    users = tmp_path / "users"
    users.write_text("CONTOSO:alice:right\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


class Domain:
    """A page behind NTLM; one connection at a time."""

    def __init__(self, *schemes: str) -> None:
        self.schemes, self.context, self.asked = schemes, None, 0
        self.app = Starlette(routes=[Route("/token", self.answer, methods=["POST"])])

    async def answer(self, request: Asked) -> Response:
        self.asked += 1
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme not in self.schemes:
            return Response(status_code=401, headers={"www-authenticate": ", ".join(self.schemes) or "Basic realm=x"})
        return self.step(scheme, base64.b64decode(text), await request.body())

    def step(self, scheme: str, message: bytes, body: bytes) -> Response:
        context: Any = self.context or spnego.server(protocol=scheme.lower(), hostname="pool")
        self.context = context
        try:
            token = context.step(message)
        except (spnego.exceptions.SpnegoError, ValueError):
            self.context = None
            return Response(status_code=401, headers={"www-authenticate": scheme})
        if context.complete:
            return PlainTextResponse(f"{context.client_principal} {body.decode()}")
        return Response(status_code=401, headers={"www-authenticate": f"{scheme} {base64.b64encode(token).decode()}"})


async def ask(domain: Domain, password: str = "right") -> tuple[int, str]:
    transport = Transport(lambda _limits: httpx.ASGITransport(domain.app), Clock())
    request = Request("POST", "https://pool/token", "token", body=b"grant", windows=(r"CONTOSO\alice", password))
    reply = await transport.send(request)
    await transport.aclose()
    return reply.status, reply.body.decode()


async def test_signs_in_by_ntlm_and_sends_the_body_each_time() -> None:
    domain = Domain("NTLM")
    assert await ask(domain) == (200, r"CONTOSO\alice grant")
    assert domain.asked == 3


async def test_a_wrong_password_is_a_refusal_and_not_asked_again() -> None:
    domain = Domain("NTLM")
    status, _ = await ask(domain, "wrong")
    assert status == 401
    assert domain.asked == 3


async def test_a_server_that_offers_neither_gets_no_credentials() -> None:
    domain = Domain()
    assert (await ask(domain))[0] == 401
    assert domain.asked == 1


async def test_a_server_that_talks_on_without_end_is_left() -> None:
    asked = 0

    def endless(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(401, headers={"www-authenticate": "NTLM AAAA"}, request=request)

    transport = Transport(lambda _limits: httpx.MockTransport(endless), Clock())
    with pytest.raises(AuthRejected, match="Windows sign-in fails"):
        await transport.send(Request("POST", "https://pool/token", "token", windows=("alice", "right")))
    assert asked <= 6


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        (["NTLM", "Negotiate"], "Negotiate"),
        (["ntlm"], "NTLM"),
        (["Bearer x, NTLM"], "NTLM"),
        (["Basic"], None),
        ([], None),
    ],
)
def test_negotiate_is_preferred(offers: list[str], chosen: str | None) -> None:
    response = httpx.Response(401, headers=[("www-authenticate", offer) for offer in offers])
    assert _offered(response) == chosen


async def test_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presence_syncd.engine.windows.find_spec", lambda _name: None)
    with pytest.raises(AuthRejected, match=r"presence-syncd\[windows\]"):
        WindowsAuth("alice", "secret")
