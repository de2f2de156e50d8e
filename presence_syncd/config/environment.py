"""What the configuration needs of this machine: secrets, certificates, folders. The third stage of checking.

The one rule: it looks and changes nothing. A program that prints a secret is found, not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from presence_syncd.config.contents import tables_of, values_in
from presence_syncd.config.tables import Config
from presence_syncd.connectors.fields import SecretRef
from presence_syncd.errors import Problem
from presence_syncd.secrets import MAX_SECRET, SecretMissing, Secrets


def check_environment(config: Config, secrets: Secrets | None = None) -> list[Problem]:
    """Find what is missing or unreadable, one finding each; the same secret named twice is looked at once."""
    return [*_folders(config), *_values(config, secrets or Secrets())]


def _folders(config: Config) -> Iterator[Problem]:
    daemon, origin = config.daemon, config.origin("daemon")
    if daemon.state.is_dir():
        yield origin.problem(("state",), f"{daemon.state} is a directory; a file is needed")
    elif said := _cannot_write(daemon.state if daemon.state.exists() else daemon.state.parent):
        yield origin.problem(("state",), said, "StateDirectory= of the unit makes it; else: mkdir, chown, chmod 700")
    if said := _cannot_write(daemon.control.parent):
        yield origin.problem(("control",), said, "RuntimeDirectory= of the unit makes it")


def _cannot_write(path: Path) -> str:
    """Why nothing can be written there; empty if it can."""
    if not path.exists():
        return f"{path} does not exist"
    needed = os.W_OK | os.X_OK if path.is_dir() else os.R_OK | os.W_OK
    return "" if os.access(path, needed) else f"{path} cannot be written by this user"


def _values(config: Config, secrets: Secrets) -> Iterator[Problem]:
    seen: set[object] = set()
    for origin, table in tables_of(config):
        for path, value in values_in(table):
            if not isinstance(value, SecretRef | Path) or (path[-1], value) in seen:
                continue
            seen.add((path[-1], value))
            wrong = _secret(secrets, value, path[-1]) if isinstance(value, SecretRef) else _file(value, path[-1])
            if wrong:
                yield origin.problem(path, *wrong)


def _secret(secrets: Secrets, ref: SecretRef, key: str | int) -> tuple[str, ...]:
    """What is wrong with a secret, and a hint; empty if nothing is."""
    try:
        found = secrets.check(ref)
    except SecretMissing as error:
        return error.what, error.hint
    parse = PARSERS.get(key)
    return (f"{ref}: {said}",) if found and parse and (said := parse(found.reveal().encode())) else ()


def _file(path: Path, key: str | int) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET * 64)
    except OSError as error:
        return (f"{path} cannot be read: {(error.strerror or 'it failed').lower()}",)
    parse = PARSERS.get(key)
    return (f"{path} {said}",) if parse and (said := parse(content)) else ()


def _certificates(pem: bytes) -> str:
    try:
        return "" if x509.load_pem_x509_certificates(pem) else "holds no certificate"
    except ValueError:
        return "is no PEM certificate"


def _private_key(pem: bytes) -> str:
    try:
        load_pem_private_key(pem, None)
    except TypeError:
        return "is a key under a passphrase; take it off"
    except (ValueError, UnsupportedAlgorithm):
        return "is no PEM private key"
    return ""


PARSERS: Mapping[str | int, Callable[[bytes], str]] = {
    "ca_file": _certificates,
    "certificate": _certificates,
    "private_key": _private_key,
}
"""How to look into what a key of that name leads to; each returns what is wrong."""
