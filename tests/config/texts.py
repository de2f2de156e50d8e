"""Small configurations that are right, to be made wrong or longer by tests."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from presence_syncd.config import Config, load
from presence_syncd.errors import ConfigError

CANARY = "hunter2-canary"
TEAMS = """\
[services.teams]
type = "graph"
tenant = "contoso.com"
client_id = "22553876-f5ab-4529-bffb-cfe50aa89f87"
client_secret = { env = "GRAPH_SECRET" }
"""
SYMPHONY = """\
[services.symphony]
type = "symphony"
pod = "https://contoso.symphony.com"
bot = "presence-bot"
private_key = { env = "SYMPHONY_KEY" }
"""
ALICE = """\
[[account]]
name = "alice"
links.teams = { user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3" }
links.symphony = { user_id = 1 }
"""
GOOD = TEAMS + SYMPHONY + ALICE  # 5 + 5 + 4 lines
ELSE = GOOD + '[[account]]\nname = "bob"\n'  # bob's table starts on line 15, what follows on line 17


def problems(path: Path) -> list[str]:
    """What is wrong with a file, one line each, without its folder."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def write(folder: Path, text: str, name: str = "p.toml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


def good(folder: Path, text: str = GOOD) -> Config:
    return load(write(folder, text))
