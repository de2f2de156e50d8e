"""The process around the daemon: sockets, signals, the state file, and what systemd is told.

The one rule: what cannot be bound, locked or read is found out before anything is started.
"""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from presence_syncd import collector, logs
from presence_syncd.config import Config, check_environment, load
from presence_syncd.daemon import STOP, Daemon
from presence_syncd.engine.supervisor import GONE
from presence_syncd.errors import ConfigError
from presence_syncd.report import Report
from presence_syncd.store.sqlite import SqliteStore, StoreError
from presence_syncd.web.app import pages
from presence_syncd.web.control import control
from presence_syncd.web.server import listen_tcp, listen_unix, serve
from presence_syncd.web.systemd import notify, reloading, watchdog_seconds

HAND_OVER = 0.0005
"""Seconds after which the loop, however busy, lets a commit go on, which asks for some ten turns; Python says 0.005."""
STUCK = 15.0
"""Seconds without progress of the loop after which systemd is no longer told that all is well."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where the process listens."""

    http: socket.socket
    control: socket.socket
    control_path: Path


class Orders:
    """Carries out what an operator asks of a daemon; `path` is the configuration."""

    def __init__(self, daemon: Daemon, path: Path) -> None:
        self._daemon, self._path = daemon, path
        self.pin, self.unpin, self.pause, self.kill = daemon.pin, daemon.unpin, daemon.pause, daemon.kill

    async def reload(self) -> dict[str, Any]:
        """Read, check and take the configuration. Raises ConfigError; then nothing has changed."""
        notify(*reloading())
        try:
            config = await anyio.to_thread.run_sync(read, self._path)
            return asdict(await self._daemon.reload(config))
        except ConfigError:
            self._daemon.refused_configuration()
            raise
        finally:
            notify("READY=1", _state(self._daemon))


def read(path: Path) -> Config:
    """Load a configuration and check what it needs of this machine. Raises ConfigError."""
    config = load(path)
    if problems := check_environment(config):
        raise ConfigError(list(problems))
    return config


def run(config: Config, path: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises OSError if it cannot listen, StoreError for the state file."""
    logs.configure(config.daemon.log.level, config.daemon.log.format)
    tune()
    sockets = listen(config)
    try:
        options = {"use_uvloop": find_spec("uvloop") is not None}
        anyio.run(_main, config, path, sockets, backend_options=options)
    except BaseExceptionGroup as group:
        raise _of_the_store(group) or group from None
    finally:
        with suppress(FileNotFoundError):
            sockets.control_path.unlink()


def _of_the_store(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """What is wrong with the state file, if it is that; found while it was read, so nothing had been started."""
    error: BaseException | None = group.subgroup(StoreError)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def listen(config: Config) -> Sockets:
    """Bind both sockets. Raises OSError."""
    http = listen_tcp(*config.daemon.http)
    try:
        return Sockets(http, listen_unix(config.daemon.control), config.daemon.control)
    except OSError:
        http.close()
        raise


async def _main(config: Config, path: Path, sockets: Sockets) -> None:
    log = logs.get()
    store = SqliteStore(config.daemon.state, lambda said: _tell_store(log, said))
    daemon = Daemon(config, store=store)
    report, orders = Report(daemon), Orders(daemon, path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(report.keep_counting)
        tasks.start_soon(serve, pages(report), sockets.http)
        tasks.start_soon(serve, control(report, orders, logs.tapped), sockets.control)
        tasks.start_soon(_watch_signals, daemon, orders, tasks.cancel_scope)
        tasks.start_soon(daemon.run, lambda: _tell_started(daemon, tasks))


def _tell_store(log: Any, said: str) -> None:
    if said:
        log.error("state is not kept", said=said)
    else:
        log.info("state is kept again")


def _tell_started(daemon: Daemon, tasks: TaskGroup) -> None:
    notify("READY=1", _state(daemon))
    tasks.start_soon(collector.keep_collecting)
    tasks.start_soon(_feed_watchdog, daemon)


def tune() -> None:
    """Set the interpreter for a loop that nothing should stop, and that should not keep commits from ending."""
    collector.tune()
    sys.setswitchinterval(HAND_OVER)


def _state(daemon: Daemon) -> str:
    return f"STATUS=keeping {len(daemon.config.accounts)} accounts in {len(daemon.config.services)} services"


async def _feed_watchdog(daemon: Daemon) -> None:
    """Tell systemd that the loop turns, as long as its work gets on."""
    every = watchdog_seconds()
    while every is not None:
        if daemon.clock.now() - daemon.progress < STUCK:
            notify("WATCHDOG=1")
        await anyio.sleep(every)


async def _watch_signals(daemon: Daemon, orders: Orders, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number is signal.SIGHUP:
                await _reload_on_signal(daemon, orders)
                continue
            daemon.log.info("stopping", signal=number.name)
            notify("STOPPING=1", "STATUS=signing out", f"EXTEND_TIMEOUT_USEC={int((GONE + STOP) * 1e6)}")
            scope.cancel()


async def _reload_on_signal(daemon: Daemon, orders: Orders) -> None:
    try:
        await orders.reload()
    except ConfigError as error:
        for problem in error.problems:
            daemon.log.error("configuration refused", problem=str(problem))
