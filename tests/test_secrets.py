"""Secrets are read anew from where they are kept, bounded, and never said by any message."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.errors import AuthRejected
from presence_syncd.secrets import MAX_SECRET, SecretMissing, Secrets

CANARY = "hunter2-canary"


def kept(folder: Path, content: bytes = CANARY.encode(), mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def refused(ref: SecretRef, secrets: Secrets | None = None) -> str:
    """What is said about a secret that cannot be read; nowhere with its value."""
    with pytest.raises(AuthRejected) as caught:
        (secrets or Secrets({}))(ref)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert CANARY not in shown
    assert caught.value.retry_after == 60.0
    return str(caught.value)


def python(code: str) -> SecretRef:
    return SecretRef(command=(sys.executable, "-S", "-c", code))


# --- each place ------------------------------------------------------------------------------------------------------


def test_reads_a_file(tmp_path: Path) -> None:
    assert Secrets({})(SecretRef(file=kept(tmp_path))) == Secret(CANARY)


def test_reads_a_credential_whatever_its_mode(tmp_path: Path) -> None:
    kept(tmp_path, mode=0o440)
    assert Secrets({"CREDENTIALS_DIRECTORY": str(tmp_path)})(SecretRef(credential="secret")) == Secret(CANARY)


def test_reads_a_variable() -> None:
    assert Secrets({"S": CANARY})(SecretRef(env="S")) == Secret(CANARY)


def test_reads_the_process_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S", CANARY)
    assert Secrets()(SecretRef(env="S")) == Secret(CANARY)


def test_reads_the_first_line_of_a_program() -> None:
    assert Secrets({})(python(f"print('{CANARY}'); print('more')")) == Secret(CANARY)


def test_finds_a_program_by_its_name_and_gives_it_the_environment() -> None:
    assert Secrets({"PATH": "/usr/bin:/bin", "S": CANARY})(SecretRef(command=("printenv", "S"))) == Secret(CANARY)


def test_no_shell_looks_at_a_command() -> None:
    assert Secrets({})(SecretRef(command=("/bin/echo", "$HOME; `id`"))) == Secret("$HOME; `id`")


def test_reads_anew_each_time(tmp_path: Path) -> None:
    secrets, ref = Secrets({}), SecretRef(file=kept(tmp_path))
    secrets(ref)
    kept(tmp_path, b"rotated")
    assert secrets(ref) == Secret("rotated")


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b" x ", " x "), ("\u00e9".encode(), "\u00e9")],
)
def test_drops_one_newline_at_the_end_and_nothing_else(tmp_path: Path, content: bytes, value: str) -> None:
    assert Secrets({})(SecretRef(file=kept(tmp_path, content))) == Secret(value)


def test_takes_what_is_exactly_as_large_as_allowed(tmp_path: Path) -> None:
    assert len(Secrets({})(SecretRef(file=kept(tmp_path, b"x" * MAX_SECRET))).reveal()) == MAX_SECRET


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o601])
def test_refuses_a_file_others_may_use(tmp_path: Path, mode: int) -> None:
    file = kept(tmp_path, mode=mode)
    assert refused(SecretRef(file=file)) == f"file {file}: others than its owner may read it (chmod 600 {file})"


def test_a_file_of_certificates_may_be_seen_but_not_with_a_key(tmp_path: Path) -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"
    assert Secrets({})(SecretRef(file=kept(tmp_path, certificate.encode(), 0o644))) == Secret(certificate)
    both = kept(tmp_path, (certificate + "\n-----BEGIN PRIVATE KEY-----").encode(), 0o644)
    assert "others than its owner" in refused(SecretRef(file=both))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read: no such file or directory"),
        (lambda path: path.mkdir(), "cannot be read: is a directory"),
        (lambda path: os.mkfifo(path, 0o600), "is not a regular file"),
        (lambda path: path.symlink_to("secret"), "cannot be read: too many levels of symbolic links"),
        (lambda path: kept(path.parent, b""), "is empty"),
        (lambda path: kept(path.parent, b"\n"), "is empty"),
        (lambda path: kept(path.parent, CANARY.encode() + b"\xff"), "is not UTF-8 text"),
        (lambda path: kept(path.parent, b"x" * (MAX_SECRET + 1)), "is larger than 64 KiB"),
    ],
    ids=["missing", "directory", "pipe", "loop", "empty", "newline", "bytes", "large"],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, make: Callable[[Path], Any], said: str) -> None:
    make(tmp_path / "secret")
    path = tmp_path / "secret"
    assert refused(SecretRef(file=path)) == f"file {path}: {said}"


def test_an_endless_device_does_not_hold_us_up() -> None:
    assert refused(SecretRef(file=Path("/dev/zero"))) == "file /dev/zero: is not a regular file"


def test_says_that_there_are_no_credentials() -> None:
    assert refused(SecretRef(credential="graph")) == (
        "credential graph: CREDENTIALS_DIRECTORY is not set "
        "(systemd sets it for a unit with LoadCredential=graph:/PATH; elsewhere use { file = ... })"
    )


def test_a_credential_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    secrets = Secrets({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "is a directory" in refused(SecretRef(credential=".."), secrets)
    with pytest.raises(ValueError, match="pattern"):
        SecretRef(credential="../secret")


def test_says_that_a_variable_is_missing_or_empty() -> None:
    assert refused(SecretRef(env="S")) == "env S: the variable is not set"
    assert refused(SecretRef(env="S"), Secrets({"S": ""})) == "env S: is empty"
    assert refused(SecretRef(env="S"), Secrets({"S": "\udcff"})) == "env S: is not UTF-8 text"


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", "/etc/passwd", "/"])
def test_says_that_a_program_cannot_be_run(program: str) -> None:
    expected = f"command {program}: is no program that can be run (give its whole path, and chmod +x)"
    assert refused(SecretRef(command=(program, CANARY))) == expected


def test_says_that_a_file_is_no_program(tmp_path: Path) -> None:
    file = kept(tmp_path, b"\x00\x01", 0o700)
    assert refused(SecretRef(command=(str(file),))) == f"command {file}: cannot be run: exec format error"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"import sys; print('{CANARY}'); sys.stderr.write('{CANARY}'); sys.exit(3)", "ended with status 3"),
        ("pass", "is empty"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "is not UTF-8 text"),
        ("while True: print('x' * 1000)", "is larger than 64 KiB"),
    ],
)
def test_says_what_is_wrong_with_what_a_program_prints(code: str, said: str) -> None:
    assert refused(python(code)) == f"command {sys.executable}: {said}"


@pytest.mark.parametrize("script", ["sleep 60 & sleep 60", "sleep 60 &", "echo x; exec >&-; sleep 60"])
def test_ends_a_slow_program_and_its_children(script: str) -> None:
    before = time.monotonic()
    slow = SecretRef(command=("/bin/sh", "-c", script))
    said = refused(slow, Secrets({"PATH": "/usr/bin:/bin"}, timeout=0.2))
    assert said == "command /bin/sh: printed nothing whole within 0.2 s"
    assert time.monotonic() - before < 10


# --- looking only ----------------------------------------------------------------------------------------------------


def test_a_check_finds_a_program_without_running_it(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    assert Secrets({}).check(SecretRef(command=("/usr/bin/touch", str(mark)))) is None
    assert not mark.exists()
    with pytest.raises(SecretMissing) as caught:
        Secrets({}).check(SecretRef(command=("/no/such/program",)))
    assert (caught.value.what, caught.value.hint) == (
        "command /no/such/program: is no program that can be run",
        "give its whole path, and chmod +x",
    )


def test_a_check_reads_what_is_kept_elsewhere() -> None:
    assert Secrets({"S": CANARY}).check(SecretRef(env="S")) == Secret(CANARY)


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secrets({"S": CANARY})(SecretRef(env="S"))
    assert CANARY not in f"{secret} {secret!r} {[secret]} {Secrets({'S': CANARY})!r}"
