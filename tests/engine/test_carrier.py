"""What moves the bytes, over real sockets on loopback and real TLS, on both of asyncio's loops."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from presence_syncd.connectors.flow import Request
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.transport import POOL, Transport, network
from presence_syncd.errors import RemoteProtocolError, ServiceError, Unavailable

DAY = datetime.timedelta(days=1)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return "asyncio", {"use_uvloop": request.param}


class Authority:
    """A certificate authority of the test, and the certificates it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {folder.name}")])
        made = self._builder(self.name, self.key, DAY).add_extension(x509.BasicConstraints(True, None), True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, life: datetime.timedelta) -> Any:
        now = datetime.datetime.now(datetime.UTC)
        return x509.CertificateBuilder(
            self.name, name, key.public_key(), x509.random_serial_number(), now - 2 * DAY, now + life
        )

    def server(self, address: str = "127.0.0.1", life: datetime.timedelta = DAY) -> ssl.SSLContext:
        """What a server at an address shows."""
        key, pem = ec.generate_private_key(ec.SECP256R1()), serialization.Encoding.PEM
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        signed = self._builder(name, key, life).add_extension(names, False).sign(self.key, hashes.SHA256())
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / "server.pem").write_bytes(signed.public_bytes(pem) + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem")
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def served(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that talks with each connection as it is told; gives its URL."""

    talks = set[asyncio.Task[None]]()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        talks.discard(task)

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


@asynccontextmanager
async def transport(ca_file: Path | None = None, proxy: str | None = None) -> AsyncIterator[Transport]:
    made = Transport(network(ca_file, proxy), Clock())
    try:
        yield made
    finally:
        await made.aclose()


async def _ask(url: str, ca_file: Path | None = None, method: str = "GET", **more: Any) -> bytes:
    async with transport(ca_file) as made:
        return (await made.send(Request(method, url, "ask", **more))).body


def says(answer: bytes) -> Talk:
    """Read a request, answer it, and hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


async def _keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


async def test_a_certificate_of_the_authority_is_accepted(authority: Authority) -> None:
    async with served(_keeps, authority.server()) as url:
        assert await _ask(url, authority.file) == b"ok"


@pytest.mark.parametrize(
    ("address", "life", "said"),
    [("127.0.0.2", DAY, "IP address mismatch"), ("127.0.0.1", -DAY, "certificate has expired")],
)
async def test_a_certificate_that_does_not_fit_is_refused(
    authority: Authority, address: str, life: datetime.timedelta, said: str
) -> None:
    async with served(_keeps, authority.server(address, life)) as url:
        with pytest.raises(Unavailable, match=f"the certificate is not trusted: {said}"):
            await _ask(url, authority.file)


async def test_an_authority_that_is_unknown_is_refused(authority: Authority) -> None:
    async with served(_keeps, authority.server()) as url:
        with pytest.raises(Unavailable, match="the certificate is not trusted: unable to get local issuer"):
            await _ask(url)


async def test_old_tls_is_refused(authority: Authority) -> None:
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with served(_keeps, context) as url:
        with pytest.raises(Unavailable, match="no connection"):
            await _ask(url, authority.file)


async def test_plain_http_where_tls_is_expected_is_no_connection(authority: Authority) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)

    async with served(plain) as url:
        with pytest.raises(Unavailable, match="no connection"):
            await _ask(url.replace("http", "https"), authority.file)


async def test_a_hang_up_in_the_handshake_is_unavailable(authority: Authority) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with served(leave) as url:
        with pytest.raises(Unavailable, match=r"no connection|cut"):
            await _ask(url.replace("http", "https"), authority.file)


async def test_a_handshake_that_hangs_ends_in_time(authority: Authority) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(hang) as url:
        with pytest.raises(Unavailable, match="no answer within") as caught:
            await _ask(url.replace("http", "https"), authority.file, timeout=60.0)
        assert (caught.value.lived or 60) < 50


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
async def test_an_answer_that_is_cut_is_unavailable(authority: Authority, answer: bytes, secure: bool) -> None:
    async with served(says(answer), authority.server() if secure else None) as url:
        with pytest.raises(Unavailable, match="the connection was cut"):
            await _ask(url, authority.file)


async def test_a_cut_without_goodbye_is_not_the_end_of_an_answer(authority: Authority) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()

    async with served(cut, authority.server()) as url:
        with pytest.raises(Unavailable, match="the connection was cut"):
            await _ask(url, authority.file)


async def test_a_large_body_is_not_read_to_its_end() -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
        for _ in range(1600):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with served(pour) as url:
        with pytest.raises(RemoteProtocolError, match="larger than 10000 bytes"):
            await _ask(url, max_body=10_000)
    assert sent < 50 * 2**20


async def test_a_body_that_drips_ends_with_the_limit_of_the_exchange() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with served(drip) as url:
        with pytest.raises(Unavailable, match="no answer within"):
            await _ask(url, timeout=0.3)


async def test_who_is_cancelled_leaves_no_connection() -> None:
    asked, left = anyio.Event(), anyio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()

    async with served(wait) as url, transport() as made, anyio.create_task_group() as tasks:
        tasks.start_soon(made.send, Request("GET", url, "ask"))
        await asked.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(30):
            await left.wait()


class Dropping:
    """Answers one request on each connection, and hangs up at once (`late`: when the next request came)."""

    def __init__(self, late: bool) -> None:
        self.late, self.requests = late, 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(OK)
        if self.late:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1


async def test_the_next_request_works_after_the_server_left() -> None:
    server = Dropping(late=False)
    async with served(server.talk) as url, transport() as made:
        for _ in range(3):
            assert (await made.send(Request("POST", url, "ask"))).body == b"ok"
            await anyio.sleep(0.05)
    assert server.requests == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_sent_twice(method: str) -> None:
    server = Dropping(late=True)
    async with served(server.talk) as url, transport() as made:
        assert (await made.send(Request(method, url, "ask"))).body == b"ok"
        with pytest.raises(Unavailable, match="the connection was cut"):
            await made.send(Request(method, url, "ask"))
    assert server.requests == 2


async def test_nobody_at_the_address_or_no_address_is_no_connection() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="no connection"):
            await _ask(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with pytest.raises(Unavailable, match=r"no connection|no answer within"):
        await _ask("https://nobody.invalid/")


async def test_many_requests_keep_to_the_limit_of_the_pool() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await _keeps(reader, writer)

    async def one(made: Transport, url: str) -> None:
        with suppress(Unavailable):  # a busy machine may let one wait too long for its place
            await made.send(Request("GET", url, "ask", timeout=120.0))

    async with served(count) as url, transport() as made, anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(one, made, url)
    assert 1 < connections <= (POOL.max_connections or 0)


async def test_a_link_alone_has_one_connection() -> None:
    peers = set[int]()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername")[1])
        await _keeps(reader, writer)

    async with served(note) as url, transport() as made, made.alone() as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(made.send, Request("GET", url, "ask"), client)
        assert len(peers) == 1
        await made.send(Request("GET", url, "ask"))
        assert len(peers) == 2


class _Handshake(httpx.Auth):
    """Asks twice, as a Windows sign-in does."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield request
        yield request


async def test_a_sign_in_of_several_steps_stays_on_its_connection() -> None:
    connections = list[int]()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while await reader.readuntil(b"\r\n\r\n"):
            connections[-1] += 1
            writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000)

    async with served(refuse) as url, transport() as made, made.alone() as client:
        await client.get(url, auth=_Handshake())
    assert connections == [2]


async def test_bytes_go_as_they_are() -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nlocation: /x\r\nset-cookie: a=1\r\n")
        writer.write(b"set-cookie: b=2\r\nx-long: " + b"x" * 20_000 + b"\r\ncontent-length: 0\r\n\r\n")

    async with served(note) as url, transport() as made:
        reply = await made.send(Request("POST", url + "a%2Fb%7Ec?d=%20e+f&g=%41", "ask", body=b"{}"))
    assert reply.status == 302
    assert [value for name, value in reply.headers if name == "set-cookie"] == ["a=1", "b=2"]
    line, *rest = heads[0].decode().lower().split("\r\n")
    assert line == "post /a%2fb%7ec?d=%20e+f&g=%41 http/1.1"
    assert sorted(field.partition(":")[0] for field in rest if field) == [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "user-agent",
    ]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_proxy_is_told_to_connect_and_tls_is_with_the_service(authority: Authority, secure: bool) -> None:
    asked: list[bytes] = []
    tls = authority.server()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0])
        host, _, port = head.split()[1].partition(b":")
        far, out = await asyncio.open_connection(host.decode(), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pump(reader, out))
            tasks.create_task(_pump(far, writer))

    async with served(_keeps, tls) as url, served(tunnel, tls if secure else None) as proxy:
        async with transport(authority.file, proxy) as made:
            for _ in range(2):
                assert (await made.send(Request("GET", url, "ask"))).body == b"ok"
        await anyio.sleep(0.05)
    assert asked == [f"CONNECT {url.split('/')[2]} HTTP/1.1".encode()]


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
        sink.close()


async def test_a_proxy_that_refuses_is_unavailable(authority: Authority) -> None:
    refusal = says(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
    async with served(refusal) as proxy, transport(authority.file, proxy) as made:
        with pytest.raises(ServiceError):
            await made.send(Request("GET", "https://127.0.0.1:1/", "ask"))
