"""The tenant in a box: its configuration is complete, private, and fits this machine."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import CliRunner

from presence_syncd import tenant
from presence_syncd.boxes import PEOPLE
from presence_syncd.cli import main
from presence_syncd.config import check_environment, load
from presence_syncd.connectors import REGISTRY

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The services run on uvicorn, which is asyncio's."""
    return "asyncio"


async def test_its_configuration_loads_and_nothing_is_missing(tmp_path: Path) -> None:
    made = tenant.make(tmp_path)
    async with anyio.create_task_group() as tasks:
        made.start(tasks)
        config = load(made.configuration({"settle": "1s"}, "127.0.0.1:0"))
        assert check_environment(config) == []
        assert {settings.type for settings in config.services.values()} == set(REGISTRY)
        assert [account.name for account in config.accounts] == list(PEOPLE)
        assert config.policy.settle == 1.0
        tasks.cancel_scope.cancel()
    modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    del modes["presence-syncd.toml"]
    assert set(modes.values()) == {0o600}


async def test_everybody_shows_something_and_can_change_it(tmp_path: Path) -> None:
    made = tenant.make(tmp_path, quick=True)
    words = {"teams": "Busy/Busy", "skype": "Busy", "symphony": "BUSY"}
    for name, word in words.items():
        made.boxes[name].act("alice", word)
        if name == "teams":
            made.boxes[name].act("alice", "enter")
        assert made.boxes[name].shows("alice") == word
    assert made.boxes["blackberry"].shows("alice")


async def test_emulate_says_where_everything_is_until_it_is_told_to_stop(tmp_path: Path) -> None:
    said: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tenant.emulate, tmp_path, "127.0.0.1", 0, 10.0, said.append)
        with anyio.fail_after(10):
            while not said or not said[-1].startswith("presence-syncd run --config "):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        urls = [line.split()[1] for line in said if line.split()[1:2] and line.split()[1].startswith("http")]
        assert len(urls) == len(REGISTRY)
        async with httpx.AsyncClient() as client:
            for url in urls[:1]:
                assert (await client.get(url)).status_code == 200
            clock = await client.get(urls[0].replace("/people", "/clock"))
            assert clock.json()["speed"] == 10.0
        os.kill(os.getpid(), signal.SIGTERM)
    assert said[-1] == f"presence-syncd run --config {tmp_path / 'presence-syncd.toml'}"


def test_emulate_says_in_one_line_that_a_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["emulate", "--folder", str(tmp_path), "--port", str(port)])
    assert done.exit_code == 1
    assert done.output.lower() == f"cannot listen on 127.0.0.1 from port {port}: address already in use\n"
    assert not (tmp_path / "presence-syncd.toml").exists()
