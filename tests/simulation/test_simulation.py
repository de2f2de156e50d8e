"""What CI runs of the simulation: a few fresh seeds, every bug found so far, determinism, and three bugs put in on purpose."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.__main__ import is_found, main
from tests.simulation.corpus import Entry, read_corpus
from tests.simulation.replay import Outcome, replay
from tests.simulation.sabotage import BUGS
from tests.simulation.world import Parameters

QUICK = 0.2
"""Hours of a run that is to be over soon: one episode."""
CORPUS = read_corpus()
QUICK_BUG = 0.8
"""Hours of the longest run of the corpus that is tried everywhere; CI tries all."""


def assert_passed(outcome: Outcome) -> None:
    """Fail with the line that replays it."""
    assert outcome.passed, "\n".join([outcome.parameters.command(), *map(str, outcome.broken)])


@pytest.mark.parametrize(("seed", "carrier"), [(1, "aiohttp"), (2, "aiohttp"), (1, "httpcore")])
def test_nothing_is_broken_on_asyncio(seed: int, carrier: str) -> None:
    assert_passed(replay(Parameters(seed, QUICK, 3, carrier=carrier)))


@pytest.mark.filterwarnings(  # httpx's own carrier, given up while it sends: trio remarks upon its iterators
    "ignore:Exception ignored in. <async_generator object ByteStream.__aiter__:pytest.PytestUnraisableExceptionWarning"
)
def test_nothing_is_broken_when_trio_shuffles_who_runs_first() -> None:
    assert_passed(replay(Parameters(1, QUICK, 2, engine="trio")))


@pytest.mark.parametrize("entry", CORPUS, ids=[entry.name for entry in CORPUS])
def test_no_bug_comes_back(entry: Entry) -> None:
    assert entry.what
    if entry.parameters.hours > QUICK_BUG and not os.environ.get("PRESENCE_SYNCD_LONG"):
        pytest.skip("takes a quarter of a minute: PRESENCE_SYNCD_LONG=1 runs it, as CI does")
    assert_passed(replay(entry.parameters))


@pytest.mark.parametrize(("engine", "carrier"), [("asyncio", "aiohttp"), ("asyncio", "httpcore"), ("trio", "httpcore")])
def test_a_seed_is_the_same_trace_in_every_process(engine: str, carrier: str) -> None:
    code = (
        "from tests.simulation.replay import replay; from tests.simulation.world import Parameters;"
        f"print(replay(Parameters(7, 0.1, 2, engine={engine!r}, carrier={carrier!r})).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_the_line_that_replays_says_the_carrier_where_it_is_not_the_usual_one() -> None:
    assert Parameters(7, carrier="httpcore").command().endswith(" --carrier httpcore")
    assert "--carrier" not in Parameters(7).command()
    assert "--carrier" not in Parameters(7, engine="trio").command()


@pytest.mark.parametrize("bug", ["unknown-is-available", "refresh-without-evidence", "write-while-paused"])
def test_a_bug_put_in_on_purpose_is_found(bug: str) -> None:
    assert bug in BUGS
    assert any(is_found(Parameters(seed, QUICK, 3, sabotage=bug)) for seed in (6, 7, 9))


def test_the_command_says_how_many_passed_and_how_to_replay_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1", "--hours", "0.1", "--accounts", "2"]) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out
    failing = ["--seeds", "3", "--hours", "0.1", "--accounts", "3", "--sabotage", "unknown-is-available"]
    assert main(failing) == 1
    told = capsys.readouterr().out
    assert "FAILED: python -m tests.simulation --seeds 1 --from-seed" in told
