"""One WebSocket over real sockets, on asyncio and on trio: frames, bounds, faults, TLS."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import anyio
import httpx
import pytest
import wsproto.events as ev
from anyio.abc import ByteStream
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wsproto import ConnectionType, WSConnection

from presence_syncd.connectors.flow import Open
from presence_syncd.engine import websocket
from presence_syncd.engine.websocket import WebSockets
from presence_syncd.errors import Rejected, RemoteProtocolError, Unavailable

Talk = Callable[["Peer"], Awaitable[None]]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Peer:
    """The server's end of one connection."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.ws = WSConnection(ConnectionType.SERVER)
        self.headers: dict[str, str] = {}

    async def request(self) -> ev.Request:
        event = await self.event()
        assert isinstance(event, ev.Request)
        self.headers = {key.decode(): value.decode() for key, value in event.extra_headers}
        return event

    async def accept(self) -> None:
        await self.request()
        await self.send(ev.AcceptConnection(extra_headers=[(b"set-cookie", b"deviceToken=one")]))

    async def event(self) -> ev.Event:
        while True:
            for event in self.ws.events():
                return event
            try:
                self.ws.receive_data(await self.stream.receive())
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.ws.receive_data(None)

    async def send(self, event: ev.Event) -> None:
        await self.stream.send(self.ws.send(event))


@asynccontextmanager
async def served(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def handle(stream: ByteStream) -> None:
        async with stream:
            await talk(Peer(stream))

    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = TLSListener(tcp.listeners[0], tls, standard_compatible=False) if tls else tcp.listeners[0]
    port = tcp.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield port
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def opened(talk: Talk) -> AsyncIterator[WebSockets]:
    async def accepted(peer: Peer) -> None:
        await peer.accept()
        await talk(peer)

    async with served(accepted) as port, httpx.AsyncClient(trust_env=False) as client:
        sockets = WebSockets(client)
        reply = await sockets.open(Open(f"ws://127.0.0.1:{port}/connect", {"cookie": "a=b"}))
        assert reply.status == 101
        assert reply.header_all("set-cookie") == ("deviceToken=one",)
        try:
            yield sockets
        finally:
            await sockets.close()


async def forever(peer: Peer) -> None:
    await anyio.sleep_forever()


async def test_text_goes_both_ways_in_fragments_too() -> None:
    async def talk(peer: Peer) -> None:
        event = await peer.event()
        assert isinstance(event, ev.TextMessage)
        await peer.send(ev.BytesMessage(data=b"passed over"))
        await peer.send(ev.TextMessage(data=event.data[:2], message_finished=False))
        await peer.send(ev.TextMessage(data=event.data[2:]))
        await peer.send(ev.TextMessage(data="second"))
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        assert sockets.is_open
        await sockets.send("grün und rot")
        assert await sockets.receive(5) == "grün und rot"
        assert await sockets.receive(5) == "second"


async def test_headers_and_path_reach_the_server() -> None:
    async def talk(peer: Peer) -> None:
        assert peer.headers["cookie"] == "a=b"
        await peer.send(ev.TextMessage(data="seen"))
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        assert await sockets.receive(5) == "seen"


async def test_nothing_within_the_time_is_none_and_loses_no_frame() -> None:
    go = anyio.Event()

    async def talk(peer: Peer) -> None:
        await go.wait()
        await peer.send(ev.TextMessage(data="late"))
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        assert await sockets.receive(0.01) is None
        bell = anyio.Event()
        bell.set()
        assert await sockets.receive(5, bell) is None
        go.set()
        assert await sockets.receive(5, anyio.Event()) == "late"


async def test_a_bell_ends_the_wait_for_a_frame() -> None:
    async with opened(forever) as sockets, anyio.create_task_group() as tasks:
        bell = anyio.Event()

        async def ring() -> None:
            await anyio.sleep(0.02)
            bell.set()

        tasks.start_soon(ring)
        with anyio.fail_after(3):
            assert await sockets.receive(60, bell) is None


async def test_pings_are_answered_while_somebody_waits() -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(ev.Ping(payload=b"there?"))
        event = await peer.event()
        assert isinstance(event, ev.Pong)
        assert event.payload == b"there?"
        await peer.send(ev.TextMessage(data="you are"))
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        assert await sockets.receive(5) == "you are"


async def test_b20_a_connection_that_is_cut_is_unavailable() -> None:
    async def talk(peer: Peer) -> None:
        await peer.event()

    async with opened(talk) as sockets:
        await sockets.send("last words")
        with pytest.raises(Unavailable, match=r"closed|cut"):
            await sockets.receive(5, anyio.Event())
        assert not sockets.is_open
        with pytest.raises(Unavailable):
            await sockets.send("to nobody")
        with pytest.raises(Unavailable):
            await sockets.receive(5)


async def test_a_close_frame_is_unavailable_and_is_answered() -> None:
    answered = anyio.Event()

    async def talk(peer: Peer) -> None:
        await peer.send(ev.CloseConnection(code=1012))
        if isinstance(await peer.event(), ev.CloseConnection):
            answered.set()

    async with opened(talk) as sockets:
        with pytest.raises(Unavailable, match="1012"):
            await sockets.receive(5)
        with anyio.fail_after(3):
            await answered.wait()


@pytest.mark.parametrize("pieces", [1, 4])
async def test_b06_a_message_larger_than_a_mebibyte_ends_the_connection(pieces: int) -> None:
    async def talk(peer: Peer) -> None:
        size = 2 * 1024 * 1024 // pieces
        try:
            for number in range(pieces):
                await peer.send(ev.TextMessage(data="x" * size, message_finished=number == pieces - 1))
            await anyio.sleep_forever()
        except anyio.BrokenResourceError:
            return

    async with opened(talk) as sockets:
        with pytest.raises(RemoteProtocolError, match="larger"):
            await sockets.receive(10)
        assert not sockets.is_open


@pytest.mark.parametrize("frame", [b"\x81\x02\xff\xfe", b"\xf1\x00", b"\x83\x00"])
async def test_b06_what_is_no_text_breaks_the_rules(frame: bytes) -> None:
    async def talk(peer: Peer) -> None:
        await peer.stream.send(frame)
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        with pytest.raises(RemoteProtocolError, match="rules"):
            await sockets.receive(5)


async def test_a_refusal_comes_back_as_it_is() -> None:
    async def talk(peer: Peer) -> None:
        await peer.stream.receive()
        await peer.stream.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-said: no\r\n\r\n")

    async with served(talk) as port, httpx.AsyncClient(trust_env=False) as client:
        sockets = WebSockets(client)
        reply = await sockets.open(Open(f"ws://127.0.0.1:{port}/"))
        assert (reply.status, reply.header("x-said")) == (404, "no")
        assert not sockets.is_open


async def test_an_upgrade_with_a_wrong_key_is_refused() -> None:
    async def talk(peer: Peer) -> None:
        await peer.stream.receive()
        await peer.stream.send(
            b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: no\r\n\r\n"
        )
        await anyio.sleep_forever()

    async with served(talk) as port, httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(RemoteProtocolError):
            await WebSockets(client).open(Open(f"ws://127.0.0.1:{port}/"))


async def test_a_server_that_says_nothing_or_is_not_there_is_unavailable() -> None:
    async with served(forever) as port, httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(Unavailable, match="within"):
            await WebSockets(client).open(Open(f"ws://127.0.0.1:{port}/", timeout=0.05))
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(Unavailable, match="no connection"):
            await WebSockets(client).open(Open(f"ws://127.0.0.1:{port}/"))


@pytest.mark.parametrize("url", ["ws://bems.example.com/connect", "ftp://127.0.0.1/", "ws://127.0.0.1:x/"])
async def test_b28_nothing_is_opened_in_the_clear_or_to_nowhere(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(Rejected):
            await WebSockets(client).open(Open(url))


async def test_a_peer_that_takes_no_bytes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "WRITE_TIMEOUT", 0.05)
    async with opened(forever) as sockets:
        with pytest.raises(Unavailable, match="cut"):
            await sockets.send("x" * 100_000_000)


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS settings, and the file of the authority that vouches for it (the certificate itself)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "enterprise")])
    names: list[x509.GeneralName] = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca, pair = folder / "ca.pem", folder / "pair.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pair.write_bytes(
        ca.read_bytes()
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    return context, ca


async def _polite(peer: Peer) -> None:
    await peer.accept()
    await peer.send(ev.TextMessage(data="over TLS"))
    await anyio.sleep_forever()


async def test_b28_a_custom_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    server, ca = certificate(tmp_path, "127.0.0.1")
    trusted = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca))
    async with served(_polite, server) as port, httpx.AsyncClient(transport=trusted) as client:
        sockets = WebSockets(client)
        assert (await sockets.open(Open(f"wss://127.0.0.1:{port}/"))).status == 101
        assert await sockets.receive(5) == "over TLS"
        await sockets.close()


@pytest.mark.parametrize(("host", "named", "said"), [("127.0.0.1", False, "not trusted"), ("bems", True, "mismatch")])
async def test_b28_any_other_certificate_fails_closed(tmp_path: Path, host: str, named: bool, said: str) -> None:
    async def ignored(peer: Peer) -> None:
        raise AssertionError("nothing may be sent")

    server, ca = certificate(tmp_path, host)
    trust = ssl.create_default_context(cafile=ca if named else None)
    async with (
        served(ignored, server) as port,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=trust)) as client,
    ):
        with pytest.raises(Unavailable, match=said):
            await WebSockets(client).open(Open(f"wss://127.0.0.1:{port}/"))


async def _reset(peer: Peer) -> None:
    """Cut the connection the hard way (RST)."""
    raw = peer.stream.extra(anyio.abc.SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await peer.stream.aclose()


async def test_b20_a_reset_connection_is_unavailable() -> None:
    async with opened(_reset) as sockets:
        with pytest.raises(Unavailable, match=r"cut|closed"):
            await sockets.receive(5)
        assert not sockets.is_open


async def test_saying_goodbye_to_nobody_is_no_error() -> None:
    async with opened(_reset) as sockets:
        await anyio.sleep(0.05)
        await sockets.close()
        assert not sockets.is_open
        await sockets.close()


async def test_a_pong_nobody_asked_for_is_passed_over() -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(ev.Pong(payload=b"here"))
        await peer.send(ev.TextMessage(data="then this"))
        await anyio.sleep_forever()

    async with opened(talk) as sockets:
        assert await sockets.receive(5) == "then this"
