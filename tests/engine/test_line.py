"""Lines, over real sockets on loopback and real TLS, on both of asyncio's loops; in virtual time where time matters."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from presence_syncd.connectors.flow import Reply, Request
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.line import FRESH, LONGEST_HEAD, Line
from presence_syncd.engine.messages import Jar
from presence_syncd.engine.transport import Transport, network
from presence_syncd.errors import Rejected, RemoteProtocolError, ServiceError, Unavailable
from tests.engine.test_carrier import (  # noqa: F401  # fixtures
    DAY,
    OK,
    Authority,
    Dropping,
    _keeps,
    anyio_backend,
    authority,
    says,
    served,
    transport,
)


class Asker:
    """A link's line and cookies, and what came of its polls."""

    def __init__(self, made: Transport) -> None:
        self.transport, self.jar = made, Jar()
        self.line: Line | None = None
        self.came: list[Reply | ServiceError] = []

    async def send(self, url: str, method: str = "GET", **more: Any) -> None:
        request = Request(method, url, "poll", **more)
        self.line = await self.transport.ask(self.line, request, self.jar, self.came.append)

    async def ask(self, url: str, **more: Any) -> Reply:
        """Ask, and wait for the reply. Raises what comes instead."""
        del self.came[:]
        await self.send(url, **more)
        with anyio.fail_after(30):
            while not self.came:  # noqa: ASYNC110  # it calls
                await anyio.sleep(0.002)
        (outcome,) = self.came
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    def close(self) -> None:
        if self.line is not None:
            self.line.close()


async def _ask(url: str, ca_file: Path | None = None, **more: Any) -> Reply:
    async with transport(ca_file) as made:
        asker = Asker(made)
        try:
            return await asker.ask(url, **more)
        finally:
            asker.close()


async def test_one_answer_after_the_other_comes_over_one_connection(authority: Authority) -> None:  # noqa: F811
    peers = set[int]()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername")[1])
        await _keeps(reader, writer)

    async with served(note, authority.server()) as url, transport(authority.file) as made:
        asker = Asker(made)
        for _ in range(3):
            reply = await asker.ask(url)
            assert (reply.status, reply.body, reply.header("Content-Length"), reply.url) == (200, b"ok", "2", url)
            assert reply.started_at <= reply.at
        asker.close()
    assert len(peers) == 1


@pytest.mark.parametrize(
    ("address", "life", "said"),
    [("127.0.0.2", DAY, "IP address mismatch"), ("127.0.0.1", -DAY, "certificate has expired")],
)
async def test_a_certificate_that_does_not_fit_is_refused(
    authority: Authority,  # noqa: F811
    address: str,
    life: Any,
    said: str,
) -> None:
    async with served(_keeps, authority.server(address, life)) as url:
        with pytest.raises(Unavailable, match=f"the certificate is not trusted: {said}"):
            await _ask(url, authority.file)


async def test_an_authority_that_is_unknown_is_refused(authority: Authority) -> None:  # noqa: F811
    async with served(_keeps, authority.server()) as url:
        with pytest.raises(Unavailable, match="the certificate is not trusted: unable to get local issuer"):
            await _ask(url)


async def test_old_tls_is_refused(authority: Authority) -> None:  # noqa: F811
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with served(_keeps, context) as url:
        with pytest.raises(Unavailable, match="no connection"):
            await _ask(url, authority.file)


async def test_a_handshake_that_hangs_ends_in_time(authority: Authority) -> None:  # noqa: F811
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(hang) as url:
        with pytest.raises(Unavailable, match="no answer within"):
            await _ask(url.replace("http", "https"), authority.file, timeout=60.0)


async def test_nobody_at_the_address_or_no_address_is_no_connection() -> None:
    server = await asyncio.start_server(_keeps, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(Unavailable, match="no connection"):
        await _ask(f"http://127.0.0.1:{port}/")
    with pytest.raises(Unavailable, match=r"no connection|no answer within"):
        await _ask("https://nobody.invalid/")


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
async def test_an_answer_that_is_cut_or_none_is_unavailable(
    authority: Authority,  # noqa: F811
    answer: bytes,
    secure: bool,
) -> None:
    async with served(says(answer), authority.server() if secure else None) as url:
        with pytest.raises(Unavailable, match="the connection was cut") as caught:
            await _ask(url, authority.file)
    assert caught.value.lived is not None


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with served(says(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as url:
        assert (await _ask(url)).body == b"all of it"


async def test_an_answer_that_has_no_body_is_whole_and_the_connection_goes_on() -> None:
    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with served(quiet) as url, transport() as made:
        asker = Asker(made)
        assert (await asker.ask(url)).status == 204
        line = asker.line
        assert (await asker.ask(url)).status == 204
        assert asker.line is line
        asker.close()


async def test_a_large_body_is_not_read_to_its_end() -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
        for _ in range(1600):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with served(pour) as url:
        with pytest.raises(RemoteProtocolError, match="larger than 10000 bytes"):
            await _ask(url, max_body=10_000)
    assert sent < 50 * 2**20


async def test_a_body_as_large_as_is_allowed_is_taken() -> None:
    async with served(says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789")) as url:
        assert (await _ask(url, max_body=10)).body == b"0123456789"


@pytest.mark.parametrize("piece", [b"x-more: y\r\n", b"x" * 10_000])
async def test_a_head_without_an_end_is_not_read_for_ever(piece: bytes) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx-long: ")
        for _ in range(2 * LONGEST_HEAD // len(piece)):
            writer.write(piece)
        await writer.drain()
        await reader.read()

    async with served(pour) as url:
        with pytest.raises(Unavailable, match="the connection was cut"):
            await _ask(url)


async def test_a_header_as_long_as_a_kerberos_token_is_taken() -> None:
    head = b"HTTP/1.1 200 OK\r\nwww-authenticate: " + b"x" * 65536 + b"\r\ncontent-length: 0\r\n\r\n"
    async with served(says(head)) as url:
        assert len((await _ask(url)).header("www-authenticate") or "") == 65536


async def test_the_next_request_goes_over_another_connection_once_the_server_left() -> None:
    server = Dropping(late=False)
    async with served(server.talk) as url, transport() as made:
        asker = Asker(made)
        for _ in range(3):
            assert (await asker.ask(url, method="POST")).body == b"ok"
            await anyio.sleep(0.05)
        asker.close()
    assert server.requests == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_sent_twice(method: str) -> None:
    server = Dropping(late=True)
    async with served(server.talk) as url, transport() as made:
        asker = Asker(made)
        assert (await asker.ask(url, method=method)).body == b"ok"
        with pytest.raises(Unavailable, match="the connection was cut"):
            await asker.ask(url, method=method)
        asker.close()
    assert server.requests == 2


@pytest.mark.parametrize(
    "surplus",
    [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother", b"HTTP/1.1 500 X\r\nx-a: b\r\n\r\n", b"HTTP"],
)
async def test_more_than_one_answer_is_not_taken_for_the_next(surplus: bytes) -> None:
    asked = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            writer.write(OK + surplus)

    async with served(twice) as url, transport() as made:
        asker = Asker(made)
        for _ in range(2):
            line = asker.line
            assert (await asker.ask(url)).body == b"ok"
            assert asker.line is not line
        asker.close()
    assert asked == 2


async def test_what_comes_unasked_ends_the_connection() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async with served(late) as url, transport() as made:
        asker = Asker(made)
        await asker.ask(url)
        await anyio.sleep(0.1)
        line = asker.line
        assert (await asker.ask(url)).status == 200
        assert asker.line is not line
        asker.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")],
)
async def test_who_wants_no_second_request_is_sent_none(answer: bytes) -> None:
    async with served(says(answer)) as url, transport() as made:
        asker = Asker(made)
        for _ in range(2):
            line = asker.line
            assert (await asker.ask(url)).body == b"ok"
            assert asker.line is not line
        asker.close()


async def test_who_gives_up_leaves_no_connection_and_hears_no_more() -> None:
    asked, left = anyio.Event(), anyio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()

    async with served(wait) as url, transport() as made:
        asker = Asker(made)
        await asker.send(url)
        await asked.wait()
        asker.close()
        with anyio.fail_after(30):
            await left.wait()
        assert asker.came == []


async def test_bytes_go_as_they_are_and_cookies_come_back() -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nlocation: /x\r\nset-cookie: a=1\r\n")
            writer.write(b"set-cookie: b=2\r\ncontent-length: 0\r\n\r\n")

    async with served(note) as url, transport() as made:
        asker = Asker(made)
        for _ in range(2):
            reply = await asker.ask(url + "a%2Fb%7Ec?d=%20e+f&g=%41", method="POST", body=b"{}")
        asker.close()
    assert reply.status == 302
    assert [value for name, value in reply.headers if name == "set-cookie"] == ["a=1", "b=2"]
    line, *rest = heads[0].decode().lower().split("\r\n")
    assert line == "post /a%2fb%7ec?d=%20e+f&g=%41 http/1.1"
    always = ["accept", "accept-encoding", "connection", "content-length", "host", "user-agent"]
    assert sorted(field.partition(":")[0] for field in rest if field) == always
    assert b"cookie: a=1; b=2\r\n" in heads[1].lower()


async def test_what_is_packed_is_unpacked_and_what_is_packed_otherwise_refused() -> None:
    packed = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n"
    async with served(says(head % (b"gzip", len(packed)) + packed)) as url:
        assert (await _ask(url)).body == b"hello"
    async with served(says(head % (b"br", len(packed)) + packed)) as url:
        with pytest.raises(RemoteProtocolError, match="an encoding that was not asked for"):
            await _ask(url)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "ü"])
async def test_a_header_that_would_be_two_is_not_sent(value: str) -> None:
    async with served(_keeps) as url:
        with pytest.raises(Rejected, match="a header that cannot be sent"):
            await _ask(url, headers={"x-note": value})


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://127.0.0.1/", "https://\ud800/"])
async def test_what_must_not_be_asked_is_not(url: str) -> None:
    with pytest.raises(Rejected):
        await _ask(url)


async def test_another_host_is_asked_over_another_line() -> None:
    async with served(_keeps) as one, served(_keeps) as other, transport() as made:
        asker = Asker(made)
        lines = []
        for url in (one, other, one):
            await asker.ask(url)
            lines.append(asker.line)
        asker.close()
    assert len(set(map(id, lines))) == 3


async def test_there_are_no_lines_through_a_proxy(anyio_backend: Any) -> None:  # noqa: F811
    assert Transport(network(None, None), Clock()).has_lines
    assert not Transport(network(None, "http://127.0.0.1:1"), Clock()).has_lines


def _closed(line: Line) -> Callable[[], bool]:
    return lambda: line._transport is None


async def test_a_line_that_was_closed_before_it_was_used_says_so() -> None:
    async with served(_keeps) as url, transport() as made:
        asker = Asker(made)
        await asker.ask(url)
        assert asker.line is not None
        asker.line.close()
        assert _closed(asker.line)()
        assert (await asker.ask(url)).body == b"ok"
        asker.close()


async def test_a_connection_that_was_quiet_for_long_is_not_used_again() -> None:
    async with served(_keeps) as url, transport() as made:
        asker = Asker(made)
        await asker.ask(url)
        line = asker.line
        assert line is not None
        line._quiet_since -= FRESH + 1
        await asker.ask(url)
        assert asker.line is not line
        asker.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("answer", [OK, b""], ids=["answered", "cut"])
async def test_who_is_called_may_start_tasks(authority: Authority, secure: bool, answer: bytes) -> None:  # noqa: F811
    """anyio must know which loop runs where a connection calls back, over uvloop's TLS as well."""
    done = anyio.Event()

    async def work() -> None:
        done.set()

    def called(_outcome: Reply | ServiceError) -> None:
        tasks.start_soon(work)

    async with served(says(answer), authority.server() if secure else None) as url, transport(authority.file) as made:
        async with anyio.create_task_group() as tasks:
            line = await made.ask(None, Request("GET", url, "poll"), Jar(), called)
            with anyio.fail_after(30):
                await done.wait()
        line.close()
