"""Reading secrets from where they are kept: systemd credentials, files, the environment, programs.

The one rule: a message names the place and never the value, not even a part or the length of it. Secrets are read anew
each time, so that a rotated one needs no restart; nothing is kept here.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.errors import AuthRejected

MAX_SECRET = 64 * 1024
"""Largest secret accepted, in bytes."""
PROBE_AFTER = 60.0
"""Seconds after which a secret that was not there is looked for again."""
COMMAND_TIMEOUT = 10.0
"""Seconds a program may take to print a secret."""


class SecretMissing(AuthRejected):
    """A secret cannot be read. The text names the place and what is wrong; `hint` says what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what + (f" ({hint})" if hint else ""), retry_after=PROBE_AFTER)
        self.what = what
        self.hint = hint


class Secrets:
    """Reads secrets. `environ` is the environment to look in, `timeout` the seconds a program may take."""

    def __init__(self, environ: Mapping[str, str] | None = None, *, timeout: float = COMMAND_TIMEOUT) -> None:
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout

    def __call__(self, ref: SecretRef) -> Secret:
        """Read the secret now; blocks, so call it in a thread. Raises SecretMissing (an AuthRejected)."""
        return Secret(_text(ref, self._read(ref)))

    def check(self, ref: SecretRef) -> Secret | None:
        """Do as `__call__`, but only look whether a program could be run: None. Raises SecretMissing."""
        if ref.command is None:
            return self(ref)
        self._program(ref, ref.command)
        return None

    def _read(self, ref: SecretRef) -> bytes:
        if ref.credential is not None:
            return self._credential(ref, ref.credential)
        if ref.file is not None:
            return _file(ref, ref.file, private=True)
        if ref.env is not None:
            return self._variable(ref, ref.env)
        return self._output(ref, ref.command or ())

    def _credential(self, ref: SecretRef, name: str) -> bytes:
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            hint = f"systemd sets it for a unit with LoadCredential={name}:/PATH; elsewhere use {{ file = ... }}"
            raise SecretMissing(f"{ref}: CREDENTIALS_DIRECTORY is not set", hint)
        return _file(ref, Path(folder, name), private=False)

    def _variable(self, ref: SecretRef, name: str) -> bytes:
        value = self._environ.get(name)
        if value is None:
            raise SecretMissing(f"{ref}: the variable is not set")
        return value.encode("utf-8", "surrogateescape")

    def _program(self, ref: SecretRef, command: tuple[str, ...]) -> str:
        program = shutil.which(command[0], path=self._environ.get("PATH", os.defpath))
        if program is None:
            raise SecretMissing(f"{ref}: is no program that can be run", "give its whole path, and chmod +x")
        return program

    def _output(self, ref: SecretRef, command: tuple[str, ...]) -> bytes:
        """Run the program and take its first line."""
        program = self._program(ref, command)
        try:
            process = subprocess.Popen(  # noqa: S603 - the administrator's own command, without a shell
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self._environ),
                start_new_session=True,
            )
        except OSError as error:
            raise SecretMissing(f"{ref}: cannot be run: {_reason(error)}") from None
        with process:
            output, in_time = _collect(process, self._timeout)
        if not in_time:
            raise SecretMissing(f"{ref}: printed nothing whole within {self._timeout:g} s")
        if process.returncode != 0 and len(output) <= MAX_SECRET:
            raise SecretMissing(f"{ref}: ended with status {process.returncode}")
        return output if len(output) > MAX_SECRET else output.partition(b"\n")[0]


def _collect(process: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bool]:
    """Read at most one byte more than is allowed; also tells whether the program ended by itself in time."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, end)
    timer.start()
    try:
        output = process.stdout.read(MAX_SECRET + 1) if process.stdout else b""
        if len(output) > MAX_SECRET:
            _kill(process)
        process.wait()
    finally:
        timer.cancel()
    return output, not late.is_set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and all it started; until somebody has waited for it, its number belongs to nobody else."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _file(ref: SecretRef, path: Path, *, private: bool) -> bytes:
    """Read a bounded regular file; a `private` one must be closed to group and others, certificates apart."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SecretMissing(f"{ref}: is not a regular file")
            content = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise SecretMissing(f"{ref}: cannot be read: {_reason(error)}") from None
    if private and mode & 0o077 and not _is_public(content):
        raise SecretMissing(f"{ref}: others than its owner may read it", f"chmod 600 {path}")
    return content


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe nobody writes to must not hold us up


def _is_public(content: bytes) -> bool:
    """Whether the file holds certificates and no key; those may be seen."""
    return b"-----BEGIN CERTIFICATE-----" in content and b"PRIVATE KEY" not in content


def _text(ref: SecretRef, value: bytes) -> str:
    """Check size and encoding, and drop one newline at the end."""
    if len(value) > MAX_SECRET:
        raise SecretMissing(f"{ref}: is larger than {MAX_SECRET // 1024} KiB")
    with suppress(UnicodeDecodeError):  # raised below without the bytes, which an exception would carry along
        text = value.decode()
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise SecretMissing(f"{ref}: is empty")
        return text
    raise SecretMissing(f"{ref}: is not UTF-8 text")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
