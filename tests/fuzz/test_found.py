"""What fuzzing found, each as the least input that showed it."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import pytest

from presence_syncd.connectors.bems.channel import Cookies, channel
from presence_syncd.connectors.bems.frames import strict
from presence_syncd.connectors.bems.jsonrpc import read_answer
from presence_syncd.connectors.bems.lookup import Lookup
from presence_syncd.connectors.bems.settings import BemsSettings
from presence_syncd.connectors.flow import Remember, Reply, Request, Wait, Wake, retry_after
from presence_syncd.connectors.symphony.wire import record
from presence_syncd.connectors.ucwa.protocol.auth import lifetime
from presence_syncd.connectors.ucwa.protocol.challenge import challenge_of
from presence_syncd.connectors.ucwa.protocol.door import MEMORY_KEY
from presence_syncd.connectors.ucwa.protocol.link import UcwaLink
from presence_syncd.connectors.ucwa.protocol.markup import parse_xml, write_input
from presence_syncd.connectors.ucwa.protocol.problem import check
from presence_syncd.connectors.ucwa.protocol.trust import Untrusted, host_of
from presence_syncd.errors import Unavailable
from tests.fuzz.documents import JSON, UCWA, text
from tests.fuzz.readers import LOOKUP, READERS, read
from tests.fuzz.services import LINKS, Anything, Choices

DATE = ("date", "Sat, 21 Nov 2026 06:00:00 GMT")


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fail after so much of this process's own CPU time, however busy the machine is: for what takes hours if broken."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"not done after {seconds} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize(
    "date", ["Sat, 21 Nov 99999999999999999999 06:00:00 GMT", "Sat, 21 Nov 2026 06:00 +9" + "9" * 20]
)
def test_a_wait_until_a_date_beyond_all_calendars_is_not_said(date: str) -> None:
    assert retry_after(Reply(429, (("retry-after", date), DATE))) is None


def test_a_number_with_two_signs_is_no_number() -> None:
    assert read_answer({"sequence": "--5"}).sequence is None
    assert read_answer({"sequence": " -5 "}).sequence == -5
    assert read_answer({"sequence": "9" * 39}).sequence is None


def test_an_integer_of_more_than_64_bits_is_none_of_the_pods() -> None:
    shown = record({"category": "BUSY", "userId": 2**63, "timestamp": 10**400})
    assert (shown.user_id, shown.timestamp) == (None, None)
    assert record({"timestamp": 2**63 - 1}).timestamp == 2**63 - 1


def test_a_token_that_lives_longer_than_a_float_can_say_has_no_lifetime() -> None:
    assert lifetime(10**400) == (None, None)


def test_a_long_run_of_spaces_in_a_challenge_is_read_at_once() -> None:
    spaces = " " * 20_000
    field = f'x{spaces}" MsRtcOAuth{spaces}href="https://a/b",{spaces}grant_type="password"'
    with at_most(10):
        found = challenge_of(Reply(401, (("www-authenticate", field),)))
    assert found is not None
    assert (found.href, found.grants) == ("https://a/b", frozenset({"password"}))


def test_text_that_comes_in_many_pieces_is_read_at_once() -> None:
    with at_most(10):
        assert len(parse_xml(b"<a>" + b"\n" * 1_000_000 + b"</a>").text) == 1_000_000


def test_what_xml_cannot_say_is_written_as_a_question_mark() -> None:
    assert b">a?b?\n\xc3\xbc</property>" in write_input({"message": "a\x00b\ud800\nü"})
    assert b"<item>?</item>" in write_input({"modalities": ["\x07"]})


def test_a_session_that_is_lost_while_it_is_made_known_is_still_the_one_that_was_joined() -> None:
    service, settings = next(LINKS["ucwa-json"]())
    link = service.link("alice", settings, {})
    assert isinstance(link, UcwaLink)
    server, joining = Anything(Choices(b""), UCWA), link.membership.join()
    answer: object = None
    session, lost = None, []
    while True:
        try:
            step = joining.send(answer)
        except StopIteration as end:
            session = end.value
            break
        answer = server.answer(step.operation, step.url) if isinstance(step, Request) else 1000.0
        if isinstance(step, Wake) or (isinstance(step, Remember) and step.key == MEMORY_KEY):
            lost.append(type(step))
            assert list(link.membership.lose_the_way())
    assert lost == [Remember, Wake]
    assert session is not None
    assert session.application.endswith("/ucwa/v1/applications/1")


@pytest.mark.parametrize(
    ("said", "asked"),
    [("\ud800", ""), ("a\n", ""), (True, ""), ("", ""), (5, "?sequence=5"), ("ü", "?sequence=%C3%BC")],
)
def test_a_place_in_a_list_that_no_url_can_carry_is_not_asked_for(said: object, asked: str) -> None:
    lookup = Lookup(LOOKUP, Counter())
    flow = lookup.read(["alice@contoso.com"])
    next(flow)
    with suppress(StopIteration):
        flow.send(Reply(200, JSON, text({"sequence": said})))
    request = next(lookup.read(["alice@contoso.com"]))
    assert isinstance(request, Request)
    assert request.url.removeprefix("https://bems.contoso.com:8443/presence/subscriptions/")[32:] == asked


def test_half_a_surrogate_pair_is_sent_to_blackberry_as_a_question_mark() -> None:
    assert strict({"personalMessage": "a\ud800ü"}) == '{"personalMessage":"a?ü"}'


def test_a_poll_for_a_call_whose_time_is_over_does_not_wait_for_less_than_no_time() -> None:
    facts = {"type": "bems", "url": "https://bems.contoso.com:8082/connect", "transport": "poll"}
    polls = channel(BemsSettings.model_validate(facts), Cookies(), fallback=False)
    assert next(polls.receive(-370.0, eager=True)) == Wait(0.0)


def test_a_code_or_a_host_of_any_length_is_told_in_a_few_words() -> None:
    told = {"code": "x" * 5000, "subcode": "y" * 5000}
    with pytest.raises(Unavailable) as failed:
        check(Reply(409, JSON, text(told)), 200)
    assert str(failed.value) == f"HTTP 409 {'x' * 100}/{'y' * 100}"
    longest = ".".join(["a" * 60] * 4 + ["b" * 9])
    assert host_of(f"https://{longest}/") == longest
    with pytest.raises(Untrusted, match="a link names a host that is not a name"):
        host_of(f"https://{longest}b/")


RUNS = (
    b" ",
    b"\n",
    b"a",
    b'"',
    b"\\",
    b"=",
    b",",
    b"[",
    b"{",
    b'{"a":',
    b"<a>",
    b"&lt;",
    b"1",
    b"-",
    b'"a"',
    b"--b",
    b"\r\n",
)


@pytest.mark.parametrize("name", sorted(name for name in READERS if not name.endswith("-link")))
def test_a_long_run_of_anything_is_read_or_refused_at_once(name: str) -> None:
    sample = READERS[name][1]
    with at_most(60):
        for piece in RUNS:
            for before, after in ((b"", b""), (sample[:20], sample[20:]), (sample, b"x")):
                read(name, before + piece * 20_000 + after)
