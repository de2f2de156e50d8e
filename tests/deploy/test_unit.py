"""The systemd unit: what systemd-analyze says of it, and the lines others rely on. deploy/test/nspawn.sh runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.places import DEPLOY, UNIT, output, tool

EXPOSURE = 15
"""Tenths: at most 1.5."""


def lines() -> list[str]:
    """The settings of the unit, without comments."""
    return [line for line in UNIT.read_text().splitlines() if line and not line.startswith(("#", "["))]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/presence-syncd", sys.executable))  # must be there
    assert output(analyze, "verify", "--man=no", copy) == ""


def test_the_exposure_is_at_most_1_5() -> None:
    analyze = tool("systemd-analyze", "systemd")
    output(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", UNIT)


def test_every_line_that_others_rely_on_is_there() -> None:
    wanted = {
        "Type=notify",
        "ExecStart=/usr/local/bin/presence-syncd run --config /etc/presence-syncd/presence-syncd.toml",
        "ExecReload=/usr/local/bin/presence-syncd reload",
        "RestartPreventExitStatus=78",
        "StateDirectoryMode=0700",
        "DynamicUser=yes",
        "LimitNOFILE=65536",
        "LimitCORE=0",
    }
    assert wanted <= set(lines())
    assert "PYTHONFAULTHANDLER=1" in next(line for line in lines() if line.startswith("Environment="))


def test_what_is_not_known_to_systemd_252_or_hides_metrics_is_not_there() -> None:
    assert not [line for line in lines() if line.startswith(("ImportCredential=", "ProcSubset=", "Type=notify-reload"))]


def test_the_script_for_nspawn_is_good_shell() -> None:
    script = DEPLOY / "test" / "nspawn.sh"
    output("bash", "-n", script)
    if shutil.which("shellcheck"):
        output("shellcheck", script)


def test_the_script_for_nspawn_says_how_it_is_called() -> None:
    done = subprocess.run([DEPLOY / "test" / "nspawn.sh"], capture_output=True, check=False)
    assert (done.returncode, b"bookworm|trixie" in done.stdout) == (2, True)
