"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

LONG = ("tests/endtoend/", "tests/simulation/", "tests/test_demo.py")
"""Where single tests take more than ten seconds."""


def pytest_configure() -> None:
    """Keep the daemons and emulators that tests start out of the coverage of the test workers: it slows them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Let three workers share two cores: half of their time tests wait, for processes and a real Prometheus."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else cores + (cores + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes longest begin first: at the end it would keep one worker busy alone."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))
