"""The programs of `deploy/`, which are no part of the package: that they are typed as strictly as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.deploy.places import DEPLOY, REPOSITORY, output


@pytest.mark.parametrize("program", sorted(DEPLOY.rglob("*.py")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_the_program_is_typed_strictly(program: Path) -> None:
    config = f"--config-file={REPOSITORY / 'pyproject.toml'}"
    assert "Success" in output(sys.executable, "-m", "mypy", "--cache-dir=/dev/null", "--strict", config, program)
