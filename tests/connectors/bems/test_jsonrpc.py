"""Calls and answers: ids, phases, errors by number, deadlines, order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_syncd.connectors.bems.events import Marks, Shown, contacts_in
from presence_syncd.connectors.bems.jsonrpc import ERRORS, LOST, Calls, Cause, failure, read_answer


def answer(number: str | None, state: str | None = None, method: str = "SetPresence", **more: Any) -> Any:
    data = {"method": method, **({"state": state} if state else {})}
    return read_answer({"id": number, "error": None, "result": {"data": data}, "jsonrpc": "2.0", **more})


def test_ids_count_up_and_parameters_of_all_methods_are_texts() -> None:
    calls = Calls()
    first = calls.make("Ping", {}, 10.0, 30.0)
    second = calls.make("SetPresence", {"presence": "busy"}, 10.0, 30.0, dependencies=(first,), reconnect="true")
    third = calls.make("Ping", {}, 10.0, 30.0, dependencies=(first, second))
    assert (first.id, second.id, third.id) == ("c1", "c2", "c3")
    assert second.message["params"] == {"presence": "busy", "dependencies": "c1", "reconnect": "true"}
    assert third.params == {"dependencies": "c1,c2"}
    assert first.deadline == 40.0


def test_accepted_is_not_done() -> None:
    calls = Calls()
    call = calls.make("SetPresence", {}, 0.0, 30.0)
    assert calls.settle(answer("c1", "PROCESSING")) is None
    assert (call.is_accepted, call.is_done) == (True, False)
    assert calls.settle(answer("c1", "COMPLETE", sequence=5)) is call
    assert calls.settle(answer("c1", "COMPLETE", sequence=5)) is None
    assert calls.settle(answer("c1", "PROCESSING")) is None
    assert calls.is_ours(answer("c1"))
    assert not any(calls.is_ours(answer(id_)) for id_ in ("S38", "c2", "c0", "c01", "c", "c1 ", "c\u0661"))


def test_one_step_and_flat_answers_complete() -> None:
    calls = Calls()
    login, token = calls.make("GetAuthenticationInfo", {}, 0, 30), calls.make("SetGDToken", {}, 0, 30)
    calls.settle(answer("c1", "COMPLETE", "GetAuthenticationInfo"))
    flat = {"id": "c2", "method": "SetGDToken", "result": {"status": "success"}, "state": "COMPLETE", "jsonrpc": "2.0"}
    assert calls.settle(read_answer(flat)) is token
    assert login.is_done


def test_b13_an_answer_of_another_method_is_not_taken() -> None:
    calls = Calls()
    calls.make("Ping", {}, 0.0, 30.0)
    assert calls.settle(answer("c1", "COMPLETE", "SetPresence")) is None
    assert calls.settle(answer("c1", "COMPLETE", "Complete")) is not None


def test_other_names_of_a_method_are_the_same() -> None:
    calls = Calls()
    calls.make("GetContactsState", {}, 0.0, 30.0)
    assert calls.settle(answer("c1", "COMPLETE", "GetContactState")) is not None


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-32700, Cause.BUG), (-32600, Cause.BUG), (-32601, Cause.METHOD), (-32602, Cause.VALUE), (1011, Cause.VALUE),
        (1012, Cause.VALUE), (1004, Cause.SERVER), (1005, Cause.SERVER), (1018, Cause.SERVER), (1019, Cause.SERVER),
        (1020, Cause.SERVER), (1006, Cause.PROXY), (1009, Cause.PROXY), (1007, Cause.CREDENTIAL),
        (1008, Cause.CREDENTIAL), (1013, Cause.STATE), (1017, Cause.SESSION), (1021, Cause.DEPENDENCY),
        (1023, Cause.DEPENDENCY), (1024, Cause.DEPENDENCY), (1025, Cause.PENDING), (1026, Cause.UNSUPPORTED),
        (1010, Cause.SERVER), (1014, Cause.SERVER), (1022, Cause.SERVER), (4711, Cause.SERVER),
    ],
)  # fmt: skip
def test_errors_are_told_by_number(code: int, cause: Cause) -> None:
    calls = Calls()
    call = calls.make("SetPresence", {}, 0.0, 30.0)
    error = {"id": "c1", "error": {"code": code, "message": "PARSE_ERROR"}, "jsonrpc": "2.0"}
    assert calls.settle(read_answer(error)) is call
    assert call.failure == failure(code)
    assert call.failure.cause is cause
    assert str(call.failure) == f"error {code} {ERRORS.get(code, ('',))[0]}".rstrip()


@pytest.mark.parametrize("error", ["no", {"code": None}, {"code": "soon"}, [], {"code": "9" * 50}])
def test_an_error_without_a_number_is_trouble_of_the_server(error: object) -> None:
    read = read_answer({"id": "c1", "error": error})
    assert read.failure == failure(0)
    assert str(read.failure) == "server"


def test_numbers_in_quotes_are_numbers() -> None:
    assert read_answer({"id": "c1", "sequence": "1018697900000054"}).sequence == 1018697900000054
    assert read_answer({"id": "c1", "sequence": True}).sequence is None
    assert read_answer({"id": "c1", "error": {"code": "1017"}}).failure == failure(1017)


def test_deadlines_are_of_each_request() -> None:
    calls = Calls()
    early, late = calls.make("Ping", {}, 0.0, 10.0), calls.make("SetPresence", {}, 0.0, 30.0)
    assert calls.expire(9.9) == []
    assert calls.expire(10.0) == [early]
    assert early.failure is LOST
    assert calls.pending("SetPresence") is late
    assert calls.lose_all() == [late]
    assert calls.lose(late) is late
    assert calls.pending("SetPresence") is None


@given(st.permutations([50, 52, 51, 52, 49, 60]))
def test_b11_whatever_the_order_the_newest_stays(order: list[int]) -> None:
    marks, shown = Marks(), -1
    for sequence in order:
        read = answer(f"S{sequence}", sequence=sequence)
        if not marks.is_repeated(read) and marks.is_news("alice", sequence):
            assert sequence > shown
            shown = sequence
    assert shown == 60


def test_another_contact_has_marks_of_its_own() -> None:
    marks = Marks()
    assert marks.is_news("alice", 52)
    assert marks.is_news("bob", 51)
    assert not marks.is_news("alice", 51)
    assert marks.is_news("alice", None)
    assert not marks.is_repeated(answer("S1"))


ALICE = Shown("alice@example.com", "busy")


@pytest.mark.parametrize(
    "data",
    [
        {"contacts": [{"contactId": "sip:alice@example.com", "presence": "busy"}]},
        {"contactList": [{"uri": "ALICE@example.com", "availability": 6500}]},
        {"contacts": {"sip:alice@example.com": {"status": "Busy"}}},
        {"contacts": {"sip:alice@example.com": 6500}},
        {"sip:Alice@example.com": "busy", "method": "x"},
        {"method": "x", "id": "alice@example.com", "presence": "busy", "state": "COMPLETE"},
        {"userId": "sip:alice@example.com", "state": "busy"},
        {"contacts": [None, "x", {"id": 5}, {"presence": "busy"}, {"id": "sip:alice@example.com", "presence": "6500"}]},
    ],
)
def test_a_presence_is_found_by_structure(data: dict[str, Any]) -> None:
    assert contacts_in(data) == [ALICE]


def test_the_state_of_a_request_is_nobodys_presence() -> None:
    for state in ("PROCESSING", "Complete", "success"):
        assert contacts_in({"userId": "sip:alice@example.com", "state": state}) == []
    assert contacts_in({"contacts": {"sip:alice@example.com": None}}) == []
    assert contacts_in({"userId": "sip:alice@example.com", "presence": True}) == []


def test_a_note_is_read_with_it() -> None:
    entry = {"id": "sip:alice@example.com", "presence": "busy", "personalMessage": "at lunch"}
    [shown] = contacts_in({"contacts": [entry]})
    assert shown.note == "at lunch"
    assert "lunch" not in repr(shown)
