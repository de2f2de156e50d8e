"""One measurement in a process of its own: `python -m tests.benchmarks.worker NAME OPTIONS-AS-JSON`; prints JSON.

The one rule: whatever is measured starts fresh, so that no measurement has another's memory or caches.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio

from tests.benchmarks import compressed, handwritten, polling, refreshing, scale, storming
from tests.benchmarks.desk import stubbed
from tests.benchmarks.stub import Options

FILES = 65_536
"""Files that 15,000 people with two long polls each may have open in one process, and some more."""
Measure = Callable[[dict[str, Any], Path], Coroutine[Any, Any, Any]]


def _stub(options: dict[str, Any], **more: Any) -> Options:
    return Options(options["size"], core=options.get("stub_core"), **more)


async def _graph(options: dict[str, Any], folder: Path) -> Any:
    with stubbed(_stub(options)) as at:
        return await refreshing.graph(at, options["size"], options["rounds"], folder, None)


async def _graph_tls(options: dict[str, Any], folder: Path) -> Any:
    ca = Path(options["ca"])
    with stubbed(_stub(options, cert=options["cert"])) as at:
        return await refreshing.graph(at, options["size"], options["rounds"], folder, ca)


async def _symphony(options: dict[str, Any], folder: Path) -> Any:
    with stubbed(_stub(options)) as at:
        return await refreshing.symphony(
            at["plain"], options["size"], options["rounds"], folder, os.environ["BENCH_KEY"]
        )


async def _scale(options: dict[str, Any], folder: Path) -> Any:
    secure = options.get("cert") is not None
    with stubbed(_stub(options, cert=options.get("cert"))) as at:
        ca = Path(options["ca"]) if secure else None
        return await scale.measure(at, options["size"], tuple(options["links"]), options["seconds"], folder, ca)


async def _storm(options: dict[str, Any], folder: Path) -> Any:
    with stubbed(_stub(options, limit=storming.LIMIT, window=storming.WINDOW)) as at:
        names, within = tuple(options["links"]), options["seconds"]
        return await storming.measure(at["plain"], options["size"], names, within, folder)


async def _hand(options: dict[str, Any], _folder: Path) -> Any:
    with stubbed(_stub(options)) as at:
        return await handwritten.measure(at["plain"], at["connect"], options["size"], options["seconds"])


async def _polls(options: dict[str, Any], folder: Path) -> Any:
    with stubbed(_stub(options, **polling.strictness(options["press"]))) as at:
        return await polling.measure(at["plain"], options["size"], options["seconds"], folder, options["press"])


async def _compressed(options: dict[str, Any], folder: Path) -> Any:
    with stubbed(_stub(options, **compressed.strictness(options["size"]))) as at:
        return await compressed.measure(at["plain"], options["size"], options["seconds"], folder)


MEASURES: dict[str, Measure] = {
    "graph": _graph,
    "graph-tls": _graph_tls,
    "symphony": _symphony,
    "scale": _scale,
    "hand": _hand,
    "storm": _storm,
    "polls": _polls,
    "compressed": _compressed,
}


def allow_files() -> None:
    """Let this process, and the stub after it, open as many files as are needed, or as many as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(FILES, most)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        print(f"at most {most} files may be open: measure no more than {(most - 200) // 2} accounts", file=sys.stderr)


def main() -> None:
    """Measure as the arguments say."""
    allow_files()
    name, options = sys.argv[1], json.loads(sys.argv[2])
    if options.get("core") is not None:
        os.sched_setaffinity(0, {options["core"]})
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(anyio.run(MEASURES[name], options, Path(folder), backend_options={"use_uvloop": True})))


if __name__ == "__main__":
    main()
