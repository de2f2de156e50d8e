"""uvicorn inside the daemon's task group, on sockets that are already bound.

The one rule: signals belong to the daemon, and the server ends with its task group.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import uvicorn

GRACE = 2
"""Seconds an open answer has to finish when the daemon stops."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen_tcp(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.listen(128)
    return sock


def listen_unix(path: Path, mode: int = 0o660) -> socket.socket:
    """Bind a Unix socket that only owner and group may use; a dead one in the way is removed. Raises OSError."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _is_served(path):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(mode)
    except OSError:
        sock.close()
        raise
    sock.listen(128)
    return sock


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a busy one must not make us wait
        return probe.connect_ex(str(path)) != errno.ECONNREFUSED


async def serve(app: Any, *sockets: socket.socket) -> None:
    """Serve an ASGI application until cancelled; open answers get a moment to finish."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE, server_header=False
    )
    server = _Server(config)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_pass_on_the_end, server)
            with anyio.CancelScope(shield=True):  # it ends by itself within GRACE, its connections closed
                await server.serve(sockets=list(sockets))
            tasks.cancel_scope.cancel()
    finally:
        for sock in sockets:
            sock.close()


async def _pass_on_the_end(server: uvicorn.Server) -> None:
    """Tell the server to finish when the task group around it is cancelled."""
    try:
        await anyio.sleep_forever()
    finally:
        server.should_exit = True
