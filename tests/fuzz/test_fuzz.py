"""Every reader by hypothesis: bytes, real input with bytes exchanged, and JSON of the right keys with wrong values."""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS, read

PROFILE = settings(
    max_examples=60,
    deadline=timedelta(seconds=2),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
KEYS = st.sampled_from(
    [
        "id",
        "value",
        "availability",
        "activity",
        "statusMessage",
        "message",
        "content",
        "sequenceNumber",
        "outOfOfficeSettings",
        "isOutOfOffice",
        "responses",
        "status",
        "headers",
        "body",
        "access_token",
        "expires_in",
        "refresh_in",
        "error",
        "error_codes",
        "category",
        "userId",
        "timestamp",
        "name",
        "token",
        "rel",
        "href",
        "_links",
        "_embedded",
        "self",
        "next",
        "resync",
        "resume",
        "sender",
        "events",
        "link",
        "type",
        "presence",
        "code",
        "subcode",
        "result",
        "data",
        "method",
        "contacts",
        "contactId",
        "state",
        "sequence",
        "jsonrpc",
        "personalMessage",
    ]
)
ODD = st.sampled_from(
    ["\ud800", "1" * 5000, "r0", "200", "\x00", "sip:a@b", "NaN", "Online", "InACall", "COMPLETE", ""]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | ODD
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=6),
    max_leaves=20,
)
NAMES = sorted(READERS)
JSON_READERS = [name for name in NAMES if READERS[name][1][:2] in (b'{"', b"[{")]


def mutated(seed: bytes, edits: list[tuple[float, bytes]]) -> bytes:
    """Real input with parts exchanged."""
    for place, piece in edits:
        at = int(place * len(seed))
        seed = seed[:at] + piece + seed[at + len(piece) // 2 :]
    return seed


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_takes_what_it_is_for(name: str) -> None:
    READERS[name][0](READERS[name][1])


@pytest.mark.parametrize("name", NAMES)
@PROFILE
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    read(name, data)


@pytest.mark.parametrize("name", NAMES)
@PROFILE
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=5))
def test_damaged_input_is_read_or_refused(name: str, edits: list[tuple[float, bytes]]) -> None:
    read(name, mutated(READERS[name][1], edits))


@pytest.mark.parametrize("name", JSON_READERS)
@PROFILE
@given(value=VALUES)
def test_any_json_is_read_or_refused(name: str, value: Any) -> None:
    read(name, json.dumps(value).encode())


@pytest.mark.parametrize("name", JSON_READERS)
@settings(PROFILE, max_examples=250)
@given(data=st.data())
def test_right_keys_with_wrong_values_are_read_or_refused(name: str, data: st.DataObject) -> None:
    document = json.loads(READERS[name][1])
    place: Any = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(ODD | VALUES)
            break
        place = place[key]
    read(name, json.dumps(document).encode())


EXAMPLE = Path(__file__).parents[2].joinpath("config.example.toml").read_text()
EVERY_KEY = tomllib.loads(re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE, flags=re.MULTILINE))
TOML_ODD = st.sampled_from(
    ["", "1" * 400, "\x00", "${X}", "http://", "https://[", "5s", "-1s", "sip:", 10**400, -1, 1e308]
)
TOML_ODD |= st.sampled_from([[], {}, [[]], {"": 1}, {"a": {"b": [1]}}, datetime(2026, 11, 21), time(6), float("nan")])  # noqa: DTZ001  # TOML has them


@settings(PROFILE, max_examples=250)
@given(data=st.data())
def test_a_configuration_with_wrong_values_is_read_or_refused(data: st.DataObject) -> None:
    document = deepcopy(EVERY_KEY)
    place: Any = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(TOML_ODD | st.text(max_size=20) | st.integers() | st.booleans())
            break
        place = place[key]
    read("toml", tomli_w.dumps(document).encode("utf-8", "replace"))


@pytest.mark.parametrize("name", [*JSON_READERS, "toml"])
def test_deep_nesting_ends(name: str) -> None:
    for opening in (b"[", b'{"a":', b"a = ["):
        read(name, opening * 100_000)


@pytest.mark.parametrize("name", ["ucwa-xml", "ucwa-events-xml"])
def test_a_bomb_does_not_go_off(name: str) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><resource>&b;</resource>'
    read(name, bomb)
    read(name, b"<a>" * 100_000)
