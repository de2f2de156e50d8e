"""The command, as far as it goes without atheris."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.documents import TOML


def test_an_unknown_reader_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["nothing"])
    assert "no reader is called nothing; there are graph-presence, " in capsys.readouterr().err


def test_an_input_is_replayed_without_atheris(tmp_path: Path) -> None:
    kept = tmp_path / "input"
    kept.write_bytes(TOML)
    assert command.main(["toml", "--replay", str(kept)]) == 0


@pytest.mark.skipif(find_spec("atheris") is not None, reason="atheris is installed")
def test_without_atheris_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["toml"])
    assert "pip install atheris" in capsys.readouterr().err
