"""Frames: strict first, one bounded repair, else dropped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presence_syncd.connectors.bems.frames import MAX_FRAME, Frames, repair, strict
from presence_syncd.connectors.bems.jsonrpc import Calls, read_answer

# The samples as the two documents print them, malformations included.
SET_PRESENCE = (
    """{ "method":"SetPresence", "params": { "presence":"busy", "personalMessage":"I am in meeting", }, \
"id":"c7", "jsonrpc":"2.0" }""",
    """{ "id":"c7", "error":null, "result": { "data": { "method":"SetPresence", "state":"PROCESSING" } }, \
"jsonrpc":"2.0", "background";false }""",
    """{ "id":"c7", "sequence":1018697900000054, "result": { "data": { "method":"SetPresence", "state":"COMPLETE" } }, \
"jsonrpc":"2.0" }""",
)
REGISTER = (
    """{ "method":"RegisterTempRemotePresence", "params": { "contactId":"sip:user_1@example.com" }, \
"id":"c58", "jsonrpc":"2.0" }""",
    """{ "id":"c58", "error":null, "result": { "data": { "method":"RegisterTempRemotePresence", \
"state":"PROCESSING" } }, "jsonrpc":"2.0", "background":false }""",
    """{ "id":"c58", "sequence":1018691100000047, "result": { "data": { "method":"RegisterTempRemotePresence", \
"state":"COMPLETE" } }, "jsonrpc":"2.0" }""",
)


def one(text: str) -> dict[str, object]:
    """Read a frame that holds one message."""
    [message] = Frames().read(text)
    return message


def test_the_samples_are_those_of_the_documents() -> None:
    shared = next((p / "shared" for p in Path(__file__).resolve().parents if (p / "shared").is_dir()), None)
    if shared is None:
        pytest.skip("the documents are not beside this checkout")
    for name, samples in (("bems-set-presence", SET_PRESENCE), ("bems-register-temp-remote-presence", REGISTER)):
        text = re.sub(r"\s+", " ", (shared / "seeds" / f"{name}.txt").read_text())
        for sample in samples:
            assert sample in text


def test_the_request_samples_are_read_as_printed() -> None:
    assert one(SET_PRESENCE[0])["params"] == {"presence": "busy", "personalMessage": "I am in meeting"}
    assert one(REGISTER[0])["params"] == {"contactId": "sip:user_1@example.com"}


@pytest.mark.parametrize("samples", [SET_PRESENCE, REGISTER])
@pytest.mark.parametrize("order", [(1, 2), (2, 1), (2,)])
def test_the_answer_samples_complete_their_call(samples: tuple[str, ...], order: tuple[int, ...]) -> None:
    calls = Calls()
    calls._count = int(str(one(samples[0])["id"])[1:]) - 1
    call = calls.make(str(one(samples[0])["method"]), {}, 0.0, 30.0)
    done = [calls.settle(read_answer(one(samples[number]))) for number in order]
    assert [d for d in done if d] == [call]
    assert call.is_done
    assert call.failure is None


def test_what_we_send_is_the_sample_in_strict_json() -> None:
    calls = Calls()
    calls._count = 6
    call = calls.make("SetPresence", {"presence": "busy", "personalMessage": "I am in meeting"}, 0.0, 30.0)
    assert json.loads(call.text) == one(SET_PRESENCE[0])
    calls._count = 57
    call = calls.make("RegisterTempRemotePresence", {"contactId": "sip:user_1@example.com"}, 0.0, 30.0)
    assert call.text == re.sub(r"\s", "", REGISTER[0])


@pytest.mark.parametrize(
    ("broken", "meant"),
    [
        ('{"a":1,}', {"a": 1}),
        ('{"a";false}', {"a": False}),
        ('{"a":"2.0" "b":true}', {"a": "2.0", "b": True}),
        ('{"a":{"c":1} "b":[1] "d":null "e":2}', {"a": {"c": 1}, "b": [1], "d": None, "e": 2}),
        ('{"a":"2.0" "background";false,}', {"a": "2.0", "background": False}),
        ('{"t":"a,} \\" ;b\\\\","b";"x" "c":"},"}', {"t": 'a,} " ;b\\', "b": "x", "c": "},"}),
    ],
)
def test_b05_the_three_documented_malformations_are_repaired_outside_of_strings(broken: str, meant: object) -> None:
    frames = Frames()
    assert frames.read(broken) == [meant]
    assert frames.counters == {"repaired": 1, "dropped": 0}


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1',
        '{"a" 1}',
        "{a:1}",
        '{"a":1}"',
        '"data":, {',
        '{"a":,1}',
        "{'a':1}",
        "[1,]",
        '{"a";;1}',
        '{"a\x00',
        "\xa0",
        '{"a":1,\xa0}',
    ],
)
def test_b06_what_is_worse_is_dropped(text: str) -> None:
    frames = Frames()
    assert frames.read(text) == []
    assert frames.counters["dropped"] == 1
    assert not frames.counters["repaired"]


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xfe", b'{"a":"' + b"x" * MAX_FRAME + b'"}', '{"a":"' + "ü" * (MAX_FRAME // 2) + '"}', "[" * 100_000],
)
def test_b06_bytes_that_are_no_text_too_many_or_too_deep_are_dropped(frame: str | bytes) -> None:
    frames = Frames()
    assert frames.read(frame) == []
    assert frames.counters["dropped"] == 1


def test_b07_arrays_and_concatenated_objects_are_all_read() -> None:
    frames = Frames()
    assert frames.read('[{"a":1},{"b":2}] {"c":3}\n{"d":4}') == [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}]
    assert frames.read(b'\xef\xbb\xbf{"a":1,}{"b":2}') == [{"a": 1}, {"b": 2}]
    assert frames.read('[1, "x", {"a":1}]') == [{"a": 1}]
    assert frames.read("  ") == []
    assert frames.counters == {"repaired": 1, "dropped": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_good_json_needs_no_repair_and_survives_one(value: dict[str, object]) -> None:
    text = strict(value)
    assert Frames().read(text) == [value]
    repaired = repair(text)
    assert repaired is not None
    assert json.loads(repaired) == value


@settings(deadline=None)
@given(st.text() | st.binary())
def test_nothing_breaks_the_reader(frame: str | bytes) -> None:
    for message in Frames().read(frame):
        read_answer(message)


def test_numbers_that_are_none_are_not_sent() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        strict({"x": float("nan")})
