"""What is made of a configuration fits it, and makes no connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presence_syncd.assembly import rules, view
from presence_syncd.core.entry import Entry, Word
from presence_syncd.core.presence import AVAILABLE, BUSY
from presence_syncd.core.view import Compose, Pin, Rules, View
from presence_syncd.store.store import Record
from tests.endtoend.office import office
from tests.virtual.backends import anyio_backend  # noqa: F401  # both backends, virtual time


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, Rules(settle=0.0, settle_fade=5.0)),
        ({"idle": "away", "offline": "away"}, Rules(settle=0.0, settle_fade=5.0, idle_away=True, offline_away=True)),
        ({"note": "mirror", "evidence": "1m"}, Rules(settle=0.0, settle_fade=5.0, notes=True, evidence=60.0)),
        (
            {"compose": "priority", "priority": ["symphony", "teams"]},
            Rules(settle=0.0, settle_fade=5.0, compose=Compose.PRIORITY, priority=("symphony", "teams")),
        ),
    ],
)
async def test_a_policy_becomes_the_rules_it_says(tmp_path: Path, table: dict[str, Any], expected: Rules) -> None:
    async with office(tmp_path, **table) as here:
        config = here.load()
        assert rules(config, config.policy) == expected


async def test_an_account_goes_on_with_what_was_kept_of_the_domains_it_still_has(tmp_path: Path) -> None:
    pin = Pin(BUSY, 5000.0)
    kept = View(
        {"skype": Entry(shown=BUSY), "symphony": Entry(shown=BUSY, live_at=900.0, word=Word(BUSY, 800.0))},
        900.0,
        pin,
        paused=True,
    )
    async with office(tmp_path) as here:
        config = here.load()
        start = view(config, config.accounts[0], kept, 1000.0)
    assert list(start.entries) == ["teams", "symphony"]
    assert start.entries["teams"] == Entry()
    assert start.entries["symphony"].word == Word(BUSY, 800.0)
    assert start.entries["symphony"].live_at is None  # it must be read again before anything is written
    assert (start.pin, start.paused, start.started_at) == (pin, True, 1000.0)


async def test_the_doors_of_one_domain_know_each_others_echoes(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        with here.changed() as document:
            for service in document["services"].values():
                service["presence_domain"] = "one"
            document["policy"]["writer"] = ["teams", "symphony"]
        daemon = here.daemon()
        for name in daemon.config.services:
            daemon._add_service(name)
        daemon._add_account(daemon.config.accounts[0], Record())
        teams, symphony = daemon.tasks["alice"].links
        assert teams.domain == symphony.domain == "one"
        assert teams.vocabulary.words == daemon._assembly.words["teams"].words
        word = symphony.vocabulary.word_for(AVAILABLE)
        assert word is not None
        assert teams.vocabulary.is_echo(word, AVAILABLE)
        await daemon._close()
