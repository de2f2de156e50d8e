"""What the configuration needs of this machine is looked for, and no secret is ever said."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from presence_syncd.config import check_environment
from presence_syncd.secrets import Secrets
from tests.config.texts import CANARY, GOOD, SYMPHONY, TEAMS, good


def _pem() -> tuple[rsa.RSAPrivateKey, bytes, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=9000))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key, private, certificate.public_bytes(Encoding.PEM)


KEY, PRIVATE, CERTIFICATE = _pem()
ENVIRON = {"GRAPH_SECRET": CANARY, "SYMPHONY_KEY": PRIVATE.decode()}


def environment(folder: Path, text: str = GOOD, environ: dict[str, str] = ENVIRON) -> list[str]:
    daemon = f'[daemon]\nstate = "{folder}/state.db"\ncontrol = "{folder}/control.sock"\n'
    config = good(folder, text + (daemon if "[daemon]" not in text else ""))
    found = [str(problem).replace(f"{folder}/", "") for problem in check_environment(config, Secrets(environ))]
    assert not any(CANARY in line for line in found)
    return found


def test_a_complete_environment_has_no_findings(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    assert environment(tmp_path) == []


def test_finds_missing_secrets_once_each(tmp_path: Path) -> None:
    text = GOOD.replace("SYMPHONY_KEY", "GRAPH_SECRET") + SYMPHONY.replace("services.symphony", "services.spare")
    assert environment(tmp_path, text, {}) == [
        "p.toml:5:1: services.teams.client_secret: env GRAPH_SECRET: the variable is not set",
        "p.toml:10:1: services.symphony.private_key: env GRAPH_SECRET: the variable is not set",
        "p.toml:19:1: services.spare.private_key: env SYMPHONY_KEY: the variable is not set",
    ]


def test_finds_what_is_no_key(tmp_path: Path) -> None:
    assert environment(tmp_path, environ={**ENVIRON, "SYMPHONY_KEY": CANARY}) == [
        "p.toml:10:1: services.symphony.private_key: env SYMPHONY_KEY: is no PEM private key"
    ]


def test_finds_a_key_under_a_passphrase(tmp_path: Path) -> None:
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    assert environment(tmp_path, environ={**ENVIRON, "SYMPHONY_KEY": locked}) == [
        "p.toml:10:1: services.symphony.private_key: env SYMPHONY_KEY: is a key under a passphrase; take it off"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: no such file or directory"),
        (b"x", "is no PEM certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is no PEM certificate"),
    ],
)
def test_finds_what_is_no_certificate(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    assert environment(tmp_path, TEAMS + f'ca_file = "{file}"\n') == [
        f"p.toml:6:1: services.teams.ca_file: ca.pem {said}"
    ]


def test_certificates_may_be_seen_by_others(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE)
    (tmp_path / "ca.pem").chmod(0o644)
    pair = f'certificate = {{ certificate = "{tmp_path}/ca.pem", private_key = {{ env = "SYMPHONY_KEY" }} }}'
    text = TEAMS.replace('client_secret = { env = "GRAPH_SECRET" }', pair) + f'ca_file = "{tmp_path}/ca.pem"\n'
    assert environment(tmp_path, text) == []


def test_finds_folders_that_are_not_there(tmp_path: Path) -> None:
    text = f'[daemon]\nstate = "{tmp_path}/a/state.db"\ncontrol = "{tmp_path}/b/control.sock"\n'
    assert environment(tmp_path, text) == [
        (
            "p.toml:2:1: daemon.state: a does not exist "
            "(StateDirectory= of the unit makes it; else: mkdir, chown, chmod 700)"
        ),
        "p.toml:3:1: daemon.control: b does not exist (RuntimeDirectory= of the unit makes it)",
    ]


def test_finds_a_folder_where_the_state_should_be(tmp_path: Path) -> None:
    text = f'[daemon]\nstate = "{tmp_path}/"\ncontrol = "/proc/sys/control.sock"\n'
    found = environment(tmp_path, text)
    assert found[0] == f"p.toml:2:1: daemon.state: {tmp_path} is a directory; a file is needed"


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file nobody can write, not even root")
def test_finds_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    if os.access("/proc/version", os.W_OK):
        pytest.skip("root may write everything here")
    text = f'[daemon]\nstate = "/proc/version"\ncontrol = "{tmp_path}/control.sock"\n'
    assert "daemon.state: /proc/version cannot be written by this user" in environment(tmp_path, text)[0]
