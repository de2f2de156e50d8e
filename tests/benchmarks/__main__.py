"""`python -m tests.benchmarks`: measure everything, each in processes of its own, and print the table.

The one rule: rounds of ours and of the yardsticks alternate in the same run; read ratios, not times.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.benchmarks import figures, vendors

ALL = (
    "graph",
    "graph-tls",
    "symphony",
    "swept",
    "polled",
    "polled-tls",
    "hand",
    "growth",
    "storm",
    "polls",
    "compressed",
)
"""What can be measured."""
BURST = 1000
"""Most people whose sessions are renewed at once, and most of those whose polls are watched."""
FILES = ("ca", "cert")
"""Options that are new in each run."""
PARTS = (0.1, 0.5, 1.5)
"""Sizes of the smaller crowds and the greater one, as parts of the great one's, by which growth is told."""
WEEK = datetime.timedelta(days=7)
LINKS = ["teams", "symphony", "skype", "blackberry"]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    asked = _arguments(arguments)
    names = tuple(asked.only.split(",")) if asked.only else ALL
    results = run(asked.accounts, asked.rounds, names, asked.seconds, Kept(asked.keep))
    found = figures.figures(results)
    if asked.json:
        print(json.dumps([figure.row() for figure in found], indent=1))
    else:
        print(figures.table(found))
        print("".join(f"skipped: {name} is not installed\n" for name in vendors.missing()), end="")
    return int(any(figure.verdict == "missed" for figure in found))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000, help="people of the great crowd")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of what alternates")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each crowd is watched")
    parser.add_argument("--only", default="", help=f"some of {','.join(ALL)}")
    parser.add_argument("--keep", type=Path, help="file for results as they come; what it has is not measured again")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


class Kept:
    """Results as they come, in a file if there is one, by name and options: a run that broke off can be continued."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._results: dict[str, Any] = json.loads(file.read_text()) if file and file.exists() else {}

    def measured(self, name: str, kind: str, options: Mapping[str, Any], measure: Callable[[], Any]) -> dict[str, Any]:
        """What was measured, or is now; which and how long it took is told on standard error."""
        key = f"{name} {kind} {json.dumps({k: v for k, v in options.items() if k not in FILES}, sort_keys=True)}"
        if key in self._results:
            _tell(f"{name}: kept\n")
            return {**options, **self._results[key]}
        _tell(f"{name}: ")
        start = time.perf_counter()
        self._results[key] = measure()
        _tell(f"{time.perf_counter() - start:.0f} s\n")
        self._write()
        return {**options, **self._results[key]}

    def _write(self) -> None:
        if self._file is not None:
            new = self._file.with_name(f"{self._file.name}.new")
            new.write_text(json.dumps(self._results, indent=1))
            new.replace(self._file)


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def run(accounts: int, rounds: int, names: tuple[str, ...], seconds: float, kept: Kept | None = None) -> dict[str, Any]:
    """Measure what is named and was not `kept`; results by name."""
    kept = kept or Kept()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BENCH_KEY": _key(), "BENCH_PASSWORD": "bench"}
        wanted = plans(accounts, rounds, names, seconds, _certificates(Path(folder)))
        return {
            name: kept.measured(name, kind, options, partial(_measured, kind, options, environment))
            for name, (kind, options) in wanted.items()
        }


def plans(
    accounts: int, rounds: int, names: tuple[str, ...], seconds: float, tls: Mapping[str, str]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """What to run: a measurement and its options, by the name of the result."""
    burst, watched = min(BURST, accounts), {"seconds": seconds}
    parts = {part: {"size": max(1, int(part * accounts)), **watched} for part in PARTS}
    every: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
        "graph": {"graph": ("graph", {"size": burst, "rounds": rounds})},
        "graph-tls": {"graph-tls": ("graph-tls", {"size": burst, "rounds": rounds, **tls})},
        "symphony": {"symphony": ("symphony", {"size": burst, "rounds": min(rounds, 4)})},
        "swept": {"swept": ("scale", {"size": accounts, "links": LINKS[:2], **watched})},
        "polled": {"polled": ("scale", {"size": accounts, "links": LINKS, **watched})},
        "polled-tls": {"polled-tls": ("scale", {"size": accounts, "links": LINKS, **watched, **tls})},
        "hand": {"hand": ("hand", {"size": accounts, **watched})},
        "growth": {
            **{f"polled@{part}": ("scale", {"links": LINKS, **sized}) for part, sized in parts.items()},
            **{f"hand@{part}": ("hand", sized) for part, sized in parts.items()},
        },
        "storm": {"storm": ("storm", {"size": accounts, "links": LINKS, "seconds": 3 * seconds})},
        "polls": {"polls": ("polls", {"size": burst, **watched})},
        "compressed": {"compressed": ("compressed", {"size": accounts, "seconds": 4 * seconds})},
    }
    return {name: plan for group in names for name, plan in every[group].items()}


def _measured(kind: str, options: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Run one measurement on a core of its own, the stub on another."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = {**options, "core": cores[0], "stub_core": cores[-1]}
    command = [sys.executable, "-m", "tests.benchmarks.worker", kind, json.dumps(pinned)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _key() -> str:
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)).decode()


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _certificates(folder: Path) -> dict[str, str]:
    """A certificate for localhost that is its own authority: where it is, and where it is with its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + WEEK)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    ca, both = folder / "ca.pem", folder / "cert.pem"
    ca.write_bytes(public)
    both.write_bytes(_pem(key) + public)
    return {"ca": str(ca), "cert": str(both)}


if __name__ == "__main__":
    sys.exit(main())
