"""Where what is tested here lies, and whether the tools to test it are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
UNIT = DEPLOY / "presence-syncd.service"
RUNBOOK = DEPLOY / "RUNBOOK.md"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "presence-syncd.rules.yml"
OURS = re.compile(r"\bpresence_syncd_[a-z_]+")
"""A metric of ours in a query."""


def tool(name: str, package: str) -> str:
    """The path of a program; skips the test, saying so, where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    return found


def output(*command: str | Path, text: bytes = b"") -> str:
    """What a command prints, both ways; fails the test if its exit code is not 0."""
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode()
    assert done.returncode == 0, said
    return said


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert rule by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def expressions(dashboard: dict[str, Any]) -> dict[str, str]:
    """Every query of a dashboard, by its panel and letter."""
    panels = [panel for panel in dashboard["panels"] if "targets" in panel]
    return {f"{p['title']} {target['refId']}": target["expr"] for p in panels for target in p["targets"]}
