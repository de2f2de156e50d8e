"""Whoever cannot reach the daemon is told why, and what to do next."""

from __future__ import annotations

import grp
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from presence_syncd.config import DaemonSettings
from presence_syncd.errors import ConfigError
from presence_syncd.remote import DEFAULT_CONTROL, Remote, RemoteError, control_path, similar, unreachable

DENIED = PermissionError(13, "Permission denied")


@contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[Remote]:
    """A daemon that gives one answer per connection, whatever it is asked."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            for text in answers:
                connection = listening.accept()[0]
                with connection:
                    connection.recv(65536)
                    connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield Remote(path, timeout=0.3)
        thread.join()


def reply(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


def error_of(remote: Remote) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        remote.accounts()
    return caught.value


def test_the_default_is_that_of_the_configuration() -> None:
    assert DaemonSettings().control == DEFAULT_CONTROL


def test_a_missing_socket_means_that_the_daemon_is_not_running(tmp_path: Path) -> None:
    error = error_of(Remote(tmp_path / "none"))
    assert error.message == f"the daemon is not running: there is no socket {tmp_path}/none"
    assert "systemctl start presence-syncd" in error.hint


def test_a_dead_socket_and_a_file_are_told_apart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "dead"))
    (tmp_path / "file").touch()
    assert "nobody listens on" in error_of(Remote(tmp_path / "dead")).message
    assert error_of(Remote(tmp_path / "file")).message == f"{tmp_path}/file is no socket"


def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    assert "cannot connect to" in error_of(Remote(tmp_path / ("x" * 200))).message


def test_permission_denied_names_the_group(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.touch()
    group = grp.getgrgid(path.stat().st_gid).gr_name
    error = unreachable(path, DENIED)
    assert error.message == f"permission denied: {path} is open to its owner and group {group} only"
    assert "sudo" in error.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and become somebody else")
def test_permission_denied_names_the_folder_that_is_closed_and_how_to_get_in(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    os.chown(tmp_path, 0, grp.getgrnam("daemon").gr_gid)
    for parent in tmp_path.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
    os.seteuid(65534)
    try:
        error = error_of(Remote(tmp_path / "control.sock"))
    finally:
        os.seteuid(0)
    assert f"{tmp_path} is open to its owner and group daemon only" in error.message
    assert "usermod -aG daemon" in error.hint
    os.chown(tmp_path, 0, 54321)
    assert "group 54321 only" in unreachable(tmp_path, DENIED).message


def test_a_daemon_that_does_not_answer_or_hangs_up_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        assert error_of(Remote(tmp_path / "silent", timeout=0.05)).message.startswith("the daemon does not answer")
    with answering(
        tmp_path / "rude", b"", b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{", reply(200, b"{nonsense")
    ) as remote:
        for _ in range(3):
            assert error_of(remote).message == "the daemon hung up before it had answered"


def test_an_answer_that_is_no_json_is_quoted(tmp_path: Path) -> None:
    with answering(tmp_path / "s", reply(500, b"Internal Server Error")) as remote:
        error = error_of(remote)
    assert (error.message, error.status) == ("Internal Server Error", 500)


def test_events_end_with_the_daemon(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{}\n\n\r\n"
    with answering(tmp_path / "s", reply(200, b'{"event": "x"}\n'), b"HTTP/1.1 200 X\r\n\r\n{oops\n", cut) as remote:
        for count in (1, 0, 1):
            events = remote.events(None)
            for _ in range(count):
                next(events)
            with pytest.raises(RemoteError, match=r"has ended|hung up"):
                next(events)


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("Alice", ["alice", "bob"], "did you mean alice?"),
        ("ali", ["alice", "alina"], "did you mean alice or alina?"),
        ("zed", ["alice", "bob"], "accounts: alice, bob"),
        ("zed", [], "accounts: none"),
        ("zed", [f"a{number}" for number in range(13)], "there are 13 accounts; `presence-syncd status` shows them"),
    ],
)
def test_similar_names_are_suggested(name: str, names: list[str], said: str) -> None:
    assert sorted(re.findall(r"\w+", similar(name, names))) == sorted(re.findall(r"\w+", said))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[daemon]\ncontrol = "/a/b"\n', "/a/b"),
        ('daemon.control = "/a/b"\n', "/a/b"),
        ('[daemon]\ncontrol = "/a/b"\nnonsense', "/a/b"),
        ("nonsense", None),
        ("daemon = 1", None),
        ("[daemon]\ncontrol = 1", None),
        ("", None),
    ],
)
def test_the_socket_is_found_even_in_a_broken_configuration(tmp_path: Path, text: str, found: str | None) -> None:
    (tmp_path / "p.toml").write_text(text)
    assert control_path(tmp_path / "p.toml", tmp_path) == (Path(found) if found else DEFAULT_CONTROL)


def test_only_the_default_configuration_may_be_missing(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert control_path(missing, missing) == DEFAULT_CONTROL
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        control_path(missing, tmp_path)
