"""Certificates, over real TLS on loopback in real time: whom we trust, and what we say when we do not."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from presence_syncd.connectors.flow import Request
from presence_syncd.engine.clock import Clock
from presence_syncd.engine.transport import Transport, network, trust
from presence_syncd.errors import Unavailable

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _certificate(folder: Path, address: str) -> Path:
    """A self-made authority that is its own server certificate, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "presence-syncd test")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - datetime.timedelta(days=1)).not_valid_after(
        NOW + datetime.timedelta(days=1)
    )
    signed = builder.add_extension(names, False).add_extension(x509.BasicConstraints(True, None), True)
    path = folder / f"{address}.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.sign(key, hashes.SHA256()).public_bytes(pem) + secret)
    return path


@contextmanager
def _server(certificate: Path) -> Iterator[str]:
    """One TLS connection is served, in a thread."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def answer() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


async def _ask(url: str, ca_file: Path | None) -> bytes:
    transport = Transport(network(ca_file, None), Clock())
    try:
        return (await transport.send(Request("GET", url, "ask"))).body
    finally:
        await transport.aclose()


async def test_the_authority_of_the_service_is_trusted(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, "127.0.0.1")
    with _server(certificate) as url:
        assert await _ask(url, certificate) == b"ok"
    assert trust(certificate) is trust(certificate)
    assert trust(certificate) is not trust(None)


async def test_an_unknown_authority_is_named_as_the_reason(tmp_path: Path) -> None:
    with (
        _server(_certificate(tmp_path, "127.0.0.1")) as url,
        pytest.raises(Unavailable, match=r"the certificate is not trusted: self.signed certificate"),
    ):
        await _ask(url, None)


async def test_a_certificate_for_another_host_is_named_as_the_reason(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, "127.0.0.2")
    with (
        _server(certificate) as url,
        pytest.raises(Unavailable, match=r"the certificate is not trusted: IP address mismatch"),
    ):
        await _ask(url, certificate)


def test_a_file_without_certificates_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(OSError, match=r".*"):
        trust(tmp_path / "empty.pem")
