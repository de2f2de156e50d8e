"""What all tests share."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    """Keep the daemons and emulators that tests start out of the coverage of the test workers: it slows them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
