"""The JSON Schema says what reading does."""

from __future__ import annotations

import tomllib
from typing import Any

import jsonschema
import pytest

from presence_syncd.config import schema
from presence_syncd.config.schema import write_duration
from presence_syncd.connectors.fields import parse_duration
from tests.config.texts import SYMPHONY, TEAMS


def test_the_schema_is_one_and_takes_what_is_read() -> None:
    described = schema()
    jsonschema.Draft202012Validator.check_schema(described)
    read = {"services": {"teams": _table(TEAMS, "teams"), "symphony": _table(SYMPHONY, "symphony")}}
    jsonschema.Draft202012Validator(described).validate(read)


def _table(text: str, name: str) -> Any:
    return tomllib.loads(text)["services"][name]


@pytest.mark.parametrize(
    "wrong",
    [
        {"polcy": {}},
        {"daemon": {"http": 9464}},
        {"policy": {"compose": "first"}},
        {"services": {"teams": {**_table(TEAMS, "teams"), "type": "symphony"}}},
        {"services": {"teams": {**_table(TEAMS, "teams"), "sweep": 5}}},
        {"services": {"my teams": _table(TEAMS, "teams")}},
        {"account": [{}]},
        {"account": [{"name": "alice", "links": {"teams": {"usr": "x"}}}]},
    ],
)
def test_the_schema_refuses_what_is_refused(wrong: object) -> None:
    assert not jsonschema.Draft202012Validator(schema()).is_valid(wrong)


def test_every_key_of_the_schema_is_described_or_speaks_for_itself() -> None:
    tables = schema()["$defs"]
    assert tables["Policy"]["properties"]["evidence"]["default"] == "15m"
    for name in ("DaemonSettings", "Policy"):
        assert all("description" in described for described in tables[name]["properties"].values())


@pytest.mark.parametrize("text", ["0.25ms", "250ms", "1500ms", "5s", "90s", "15m", "1h", "2d"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert parse_duration(write_duration(parse_duration(text))) == parse_duration(text)
    assert write_duration(900.0) == "15m"
