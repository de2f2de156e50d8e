"""Steps can be printed, in logs and tracebacks, without telling what they carry."""

from __future__ import annotations

import gc
import weakref

import pytest
from rich.pretty import pretty_repr

from presence_syncd.connectors.flow import HangUp, Open, Reply, Request, Send, json_body, without_words
from presence_syncd.errors import RemoteProtocolError, Unavailable

SECRET = "s3cret"  # a canary
TOLD = {"authorization": SECRET}


@pytest.mark.parametrize(
    "step",
    [
        Request("GET", "https://h/", "read", headers=TOLD, body=SECRET.encode(), windows=("ann", SECRET)),
        Reply(200, headers=(("set-cookie", SECRET),), body=SECRET.encode()),
        Open("wss://h/", TOLD),
        Send(SECRET),
    ],
)
def test_what_is_printed_tells_no_secret(step: object) -> None:
    assert SECRET not in repr(step) + pretty_repr(step)
    assert repr(step).startswith(f"{type(step).__name__}(")


def test_a_request_says_where_it_goes() -> None:
    assert repr(Request("GET", "https://h/", "read")).startswith(
        "Request(method='GET', url='https://h/', operation='read'"
    )


def test_an_error_that_was_handed_on_does_not_stay_for_ever() -> None:
    def hang_up() -> weakref.ref[Unavailable]:
        error = Unavailable("gone")
        step = HangUp(error)
        vars(error)["handed_on_by"] = step  # as the frames of its traceback do
        return weakref.ref(error)

    left = hang_up()
    gc.collect()
    assert left() is None


def test_half_a_surrogate_pair_becomes_a_question_mark_and_nothing_else_changes() -> None:
    assert json_body({"note": "caf\u00e9 \ud83d", "n": [1, None]}) == '{"note":"café ?","n":[1,null]}'.encode()
    assert json_body({"note": "café", "n": [1.5, True]}) == '{"note":"café","n":[1.5,true]}'.encode()


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}", b"null", b'{"operations": []}'])
def test_a_reply_that_has_nothing_to_say_may_be_empty_or_json(body: bytes) -> None:
    reply = Reply(200, body=body)
    assert without_words(reply) is reply


@pytest.mark.parametrize("body", [b"<html>sign in to the guest network</html>", b"{not json", b"\xff"])
def test_a_page_instead_of_an_empty_reply_was_written_by_something_between(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        without_words(Reply(200, body=body))
