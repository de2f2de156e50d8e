"""Logging: structlog, JSON for machines or lines for people, to standard error.

The one rule: what must not be seen is cut here, by key and by type, whatever a caller passes.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec
import structlog

HIDDEN = frozenset(
    {"authorization", "token", "secret", "password", "assertion", "cookie", "note", "private_key", "body"}
)
"""Keys whose values never reach a log."""
PLAIN = (str, int, float, type(None))
"""Values that hold nothing to be looked into."""
_QUICK = frozenset({*PLAIN, bool})
"""Their types, and no subclasses: nearly all there is."""
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def hide(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values that must not be seen by `***`."""
    for key, value in event.items():
        if type(value) in _QUICK and not _is_hidden(key):
            continue
        if key != "exc_info" and (seen := _visible(key, value)) is not value:
            event[key] = seen
    return event


def _visible(key: str, value: Any) -> Any:
    """The value, or `***` in its place and in those of its parts that must not be seen."""
    if _is_hidden(key) or type(value).__name__ == "Secret":
        return "***"
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        return {name: _visible(str(name), part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_visible("", part) for part in value]
    return value


@lru_cache(maxsize=256)
def _is_hidden(key: str) -> bool:
    words = key.lower().replace("-", "_")
    return words in HIDDEN or words.rpartition("_")[2] in HIDDEN


Tap = Callable[[dict[str, Any]], None]
_TAPS: list[Tap] = []


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Hand every event of level info and above to `tap`, whatever level is written out."""
    _TAPS.append(tap)
    try:
        yield
    finally:
        _TAPS.remove(tap)


def _tell_taps(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event["level"] != "debug":
        for tap in tuple(_TAPS):
            tap({key: value for key, value in event.items() if key != "exc_info"})
    return event


def _drop_below(least: int) -> Any:
    def drop(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if LEVELS[event["level"]] < least:
            raise structlog.DropEvent
        return event

    return drop


def _as_json(event: MutableMapping[str, Any], **_: Any) -> str:
    """An event as JSON; what is none as its text.

    The quick encoder is for plain values only: it would look into others, which say themselves what may be seen. Nor
    does it take half characters, which errors may quote.
    """
    try:
        if all(isinstance(value, PLAIN) for value in event.values()):
            return msgspec.json.encode(event).decode()
    except (TypeError, ValueError):
        pass
    return json.dumps(event, default=str, separators=(",", ":"))  # as the quick one does: people search lines


def configure(level: str = "info", style: str = "json", stream: Any = None) -> None:
    """Set up logging for the process. `style` is `json` or `console`."""
    stream = stream or sys.stderr
    renderer: Any = structlog.processors.JSONRenderer(_as_json)
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    writer = structlog.WriteLogger(stream)  # for all: one each, of five in every account, was 1 KB of that
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            hide,
            _tell_taps,
            _drop_below(LEVELS[level]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *((structlog.processors.format_exc_info,) if style == "json" else ()),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(min(LEVELS[level], logging.INFO)),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    for name in ("httpx", "httpcore", "uvicorn"):
        library = logging.getLogger(name)
        library.setLevel(logging.ERROR)
        library.handlers, library.propagate = [_Forward()], False


class _Forward(logging.Handler):
    """Brings the errors of libraries into our log; that an answer was cut short at the end is none."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        if kind != "CancelledError" and "graceful shutdown" not in record.getMessage():
            get().error("library error", library=record.name, said=record.getMessage(), error=kind or None)


def get(**facts: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger that carries `facts` on every line."""
    # bound here, because an unbound one is made anew for each line
    return structlog.get_logger().bind(**facts)  # type: ignore[no-any-return]  # structlog types it as Any
