"""Logs: what must not be seen is cut, in whatever shape it comes and in either style."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from presence_syncd import logs
from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Request
from presence_syncd.core.decision import Reason

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _written(style: str, level: str = "debug", **facts: Any) -> str:
    stream = io.StringIO()
    logs.configure(level, style, stream)
    logs.get(account="ann").info("something", **facts)
    return stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "facts",
    [
        {"secret": CANARY},
        {"Authorization": f"Bearer {CANARY}"},
        {"access_token": CANARY},
        {"client-secret": CANARY},
        {"note": CANARY},
        {"private_key": CANARY},
        {"anything": Secret(CANARY)},
        {"headers": {"authorization": CANARY, "x": "1"}},
        {"many": [Secret(CANARY), {"deep": ({"cookie": CANARY},)}]},
    ],
)
def test_what_is_secret_is_never_written(style: str, facts: dict[str, Any]) -> None:
    text = _written(style, **facts)
    assert "something" in text
    assert CANARY not in text
    assert "***" in text


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_values(style: str) -> None:
    stream = io.StringIO()
    logs.configure("info", style, stream)
    password = Secret(CANARY)
    try:
        raise ValueError(f"cannot use {password}")
    except ValueError as error:
        logs.get().error("broke", exc_info=error)
    assert "ValueError" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_a_line_is_json_with_its_facts_and_time() -> None:
    line = json.loads(_written("json", seconds=5.0))
    assert line["event"] == "something"
    assert (line["account"], line["seconds"], line["level"]) == ("ann", 5.0, "info")
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written_but_told_to_taps() -> None:
    told: list[dict[str, Any]] = []
    with logs.tapped(told.append):
        assert _written("json", "warning", token=CANARY) == ""
        logs.get().debug("whispered")
    logs.get().error("later")
    assert [event["event"] for event in told] == ["something"]
    assert told[0]["token"] == "***"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("ü", "ü"),
        ("half \ud83d", "half \ud83d"),
        (True, True),
        (None, None),
        (2.5, 2.5),
        (["a", 1], ["a", 1]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (Reason.CHANGE, "change"),
        ({1: "a"}, {"1": "a"}),
    ],
)
def test_a_value_is_read_back_as_it_was(value: Any, read: Any) -> None:
    assert json.loads(_written("json", value=value))["value"] == read


def test_what_is_no_plain_value_says_itself_what_may_be_seen() -> None:
    request = Request("GET", "https://host/", "ask", headers={"x-key": CANARY})
    token = Token((("x-key", CANARY),))
    text = _written("json", request=request, token_of=token)
    assert text.count('"account":"ann"') == _written("json").count('"account":"ann"') == 1, "lines look alike"
    assert "https://host/" in text
    assert CANARY not in text
