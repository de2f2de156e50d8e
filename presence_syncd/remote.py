"""The client of the control socket: asks a running daemon, and says in words why it cannot be asked.

The one rule: whoever reads an error of this module knows what to do next.
"""

from __future__ import annotations

import difflib
import errno
import grp
import http.client
import json
import os
import re
import socket
import stat
import tomllib
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from presence_syncd.errors import ConfigError, PresenceSyncError, Problem

DEFAULT_CONTROL = Path("/run/presence-syncd/control.sock")
"""Where the socket is unless the configuration says otherwise."""
ANSWER = 15.0
"""Seconds an answer may take."""
RELOAD = 300.0
"""Seconds a reload may take: accounts that go say farewell first."""
_CONTROL = re.compile(r"""^\s*(?:daemon\.)?control\s*=\s*["'](/[^"'\n]+)["']""", re.MULTILINE)


class RemoteError(PresenceSyncError):
    """The daemon cannot be asked, or refuses. `lines` are several reasons, `hint` what to do, `status` that of HTTP."""

    def __init__(self, message: str, hint: str = "", *, lines: tuple[str, ...] = (), status: int = 0) -> None:
        super().__init__(message)
        self.message, self.hint, self.lines, self.status = message, hint, lines, status

    def __str__(self) -> str:
        return "\n".join((*self.lines, self.message, *([self.hint] if self.hint else [])))


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout or ANSWER)
        self._path, self._timeout = path, timeout

    def connect(self) -> None:
        """Connect to the socket. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout)
        self.sock.connect(str(self._path))


class Remote:
    """A daemon, reached by its control socket."""

    def __init__(self, path: Path, *, timeout: float = ANSWER) -> None:
        self.path, self._timeout = path, timeout

    def accounts(self) -> list[dict[str, Any]]:
        """Every account, short."""
        accounts: list[dict[str, Any]] = self._ask("GET", "/api/v1/accounts")
        return accounts

    def budgets(self) -> list[dict[str, Any]]:
        """What every service's login is granted, and needs."""
        budgets: list[dict[str, Any]] = self._ask("GET", "/api/v1/budgets")
        return budgets

    def ready(self) -> dict[str, Any]:
        """Whether every feed is alive, and what is waited for."""
        return self._object("GET", "/-/ready", also=503)

    def account(self, name: str) -> dict[str, Any]:
        """One account with its explanation. Raises RemoteError, naming similar ones, where there is none."""
        return self._of_account("GET", name, "")

    def order(self, name: str, what: str, **facts: object) -> None:
        """Have something done for an account: pin, unpin, pause, resume, restart."""
        self._of_account("POST", name, f"/{what}", facts)

    def reload(self) -> dict[str, Any]:
        """Have the configuration taken anew; returns what was done. Raises RemoteError with the problems."""
        self._timeout = RELOAD
        return self._object("POST", "/api/v1/reload")

    def events(self, account: str | None) -> Iterator[dict[str, Any]]:
        """What happens, as it happens, for ever. Raises RemoteError when the daemon ends."""
        query = f"?{urlencode({'account': account})}" if account else ""
        with self._connected(None) as connection:
            try:
                connection.request("GET", f"/api/v1/events{query}")
                reply = connection.getresponse()
                while line := reply.readline():
                    yield json.loads(line)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._trouble(error) from error
        raise RemoteError("the daemon has ended")

    def _of_account(self, method: str, name: str, what: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._object(method, f"/api/v1/accounts/{quote(name, safe='')}{what}", facts)
        except RemoteError as error:
            if error.status != 404:
                raise
        names = [account["account"] for account in self.accounts()]
        raise RemoteError(f"there is no account {name!r}", similar(name, names), status=404)

    def _object(self, method: str, path: str, facts: dict[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(method, path, facts, also)
        return found

    def _ask(self, method: str, path: str, facts: dict[str, Any] | None = None, also: int = 200) -> Any:
        with self._connected(self._timeout) as connection:
            try:
                connection.request(method, path, json.dumps(facts or {}) if method == "POST" else None)
                reply = connection.getresponse()
                body = reply.read()
                data = json.loads(body) if body.startswith((b"{", b"[")) else {"error": body.decode(errors="replace")}
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._trouble(error) from error
        if reply.status in (200, also):
            return data
        raise _refusal(data["error"], reply.status)

    def _connected(self, timeout: float | None) -> closing[_Connection]:
        connection = _Connection(self.path, timeout)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise unreachable(self.path, error) from error
        return closing(connection)

    def _trouble(self, error: Exception) -> RemoteError:
        if isinstance(error, TimeoutError):
            return RemoteError(
                f"the daemon does not answer within {self._timeout:g} s", "look: journalctl -u presence-syncd"
            )
        return RemoteError("the daemon hung up before it had answered", "look: journalctl -u presence-syncd")


def _refusal(said: str | list[str], status: int) -> RemoteError:
    if isinstance(said, list):
        return RemoteError("the configuration is refused; the daemon goes on with the one it has", lines=tuple(said))
    return RemoteError(said, status=status)


def similar(name: str, names: list[str]) -> str:
    """Say which names look like one that is unknown."""
    by_folded = {known.casefold(): known for known in names}
    near = [by_folded[found] for found in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    if len(names) > 12:
        return f"there are {len(names)} accounts; `presence-syncd status` shows them"
    return f"accounts: {', '.join(names) or 'none'}"


def unreachable(path: Path, error: OSError) -> RemoteError:
    """Say why a socket cannot be connected to, and what to do."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            start = "start it (systemctl start presence-syncd), or name its socket by --config FILE or --control PATH"
            return RemoteError(f"the daemon is not running: there is no socket {path}", start)
        case errno.ECONNREFUSED if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            return RemoteError(f"{path} is no socket", "name the daemon's socket by --control PATH")
        case errno.ECONNREFUSED:
            return RemoteError(
                f"the daemon is not running: nobody listens on {path}", "look: systemctl status presence-syncd"
            )
        case errno.EACCES | errno.EPERM:
            return _forbidden(path)
    return RemoteError(f"cannot connect to {path}: {(error.strerror or str(error)).lower()}")


def _forbidden(path: Path) -> RemoteError:
    """Say what is closed, and which group it is open to."""
    closed = _closed(path)
    group = _group(closed)
    what = f"permission denied: {closed} is open to its owner and group {group} only"
    if group == "root":
        return RemoteError(what, "do it as root: sudo presence-syncd ...")
    return RemoteError(what, f"join the group (sudo usermod -aG {group} $USER, then log in anew), or use sudo")


def _closed(path: Path) -> Path:
    """The folder on the way to a path that lets nobody through, or the path itself."""
    folders = [*reversed(path.parents), path]
    for folder, inside in pairwise(folders):
        try:
            os.lstat(inside)
        except PermissionError:
            return folder
    return path


def _group(path: Path) -> str:
    number = path.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def control_path(config: Path, default: Path) -> Path:
    """Where the socket of the daemon with this configuration is; the file need not be right otherwise.

    `default` is the configuration that is there unless another is named: it may be missing, or closed to us.
    Raises ConfigError for any other that cannot be read.
    """
    try:
        text = config.read_text(errors="replace")
    except OSError as error:
        if config == default:
            return DEFAULT_CONTROL
        said = f"cannot be read: {(error.strerror or 'it failed').lower()}"
        raise ConfigError([Problem(str(config), 0, 0, said, "name the file with --config")]) from error
    return _named(text) or DEFAULT_CONTROL


def _named(text: str) -> Path | None:
    """The path a configuration names, even if it is broken elsewhere; None if it names none."""
    try:
        found = tomllib.loads(text).get("daemon", {}).get("control")
    except (ValueError, AttributeError, RecursionError):
        match = _CONTROL.search(text)
        found = match[1] if match else None
    return Path(found) if isinstance(found, str) else None
