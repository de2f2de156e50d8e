"""Runs measurements, each in a process of its own, and keeps their results.

The one rule: a measurement that fails, or a run that breaks off, loses nothing that was measured before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from tests.benchmarks.keys import certificates, signing_key
from tests.benchmarks.plans import Extent, plans

FILES = ("ca", "cert")
"""Options that are new in each run."""
Results = dict[str, Any]


class Kept:
    """Results as they come, in a file if there is one, by name and options: a run that broke off can be continued."""

    def __init__(self, file: Path | None = None) -> None:
        self._file, self._lock = file, Lock()
        self._results: Results = json.loads(file.read_text()) if file and file.exists() else {}

    def measured(self, name: str, options: Mapping[str, Any], measure: Callable[[], Results]) -> Results:
        """What was measured, or is now; which one, and how long it took, is told on standard error."""
        told = {option: value for option, value in options.items() if option not in FILES}
        key = f"{name} {json.dumps(told, sort_keys=True)}"
        if key in self._results:
            _tell(f"{name}: kept")
            return {**told, **self._results[key]}
        _tell(f"{name} ...")
        start = time.perf_counter()
        found = measure()
        _tell(f"{name}: {time.perf_counter() - start:.0f} s")
        self._keep(key, found)
        return {**told, **found}

    def _keep(self, key: str, found: Results) -> None:
        with self._lock:
            self._results[key] = found
            if self._file is not None:
                new = self._file.with_name(f"{self._file.name}.new")
                new.write_text(json.dumps(self._results, indent=1))
                new.replace(self._file)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def run(extent: Extent, names: tuple[str, ...], kept: Kept) -> Results:
    """Measure what is named and was not kept; results by name, without those of measurements that failed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BENCH_KEY": signing_key(), "BENCH_PASSWORD": "bench"}
        wanted = plans(extent, names, certificates(Path(folder)))

        def result(name: str) -> Results | None:
            kind, options = wanted[name]
            try:
                return kept.measured(name, options, lambda: _measured(kind, options, environment))
            except subprocess.CalledProcessError:
                _tell(f"{name}: failed")
                return None

        with ThreadPoolExecutor(extent.at_once) as threads:
            found = dict(zip(wanted, threads.map(result, wanted), strict=True))
    return {name: values for name, values in found.items() if values is not None}


def _measured(kind: str, options: dict[str, Any], environment: dict[str, str]) -> Results:
    """Run one measurement on a core of its own, the stub on another."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = {**options, "core": cores[0], "stub_core": cores[-1]}
    command = [sys.executable, "-m", "tests.benchmarks.worker", kind, json.dumps(pinned)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: Results = json.loads(done.stdout)
    return found
