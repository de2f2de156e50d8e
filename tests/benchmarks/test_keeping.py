"""What was measured is kept, and not measured again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.measuring import Kept


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    first = Kept(file).measured("polled", {"size": 2, "ca": "/old"}, lambda: {"memory": 5})
    again = Kept(file).measured("polled", {"size": 2, "ca": "/new"}, lambda: pytest.fail("measured again"))
    assert again == first == {"size": 2, "memory": 5}


def test_another_size_is_another_measurement(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.json")
    kept.measured("polled", {"size": 2}, lambda: {"memory": 5})
    assert kept.measured("polled", {"size": 3}, lambda: {"memory": 6})["memory"] == 6


def test_a_measurement_that_fails_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    kept = Kept(file)
    kept.measured("polled", {}, lambda: {"memory": 5})
    with pytest.raises(ZeroDivisionError):
        kept.measured("hand", {}, lambda: {"memory": 1 // 0})
    assert Kept(file).measured("polled", {}, lambda: pytest.fail("measured again")) == {"memory": 5}
