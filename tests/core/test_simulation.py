"""The check of mapping §4.5: each readable status of four services, fully meshed, against all read-backs of its writes.

Wrong is a start value for which an order of read-backs causes one more write, or changes the person's status. The two
comparisons that look right and are not are here as well, to show that the check finds what is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import permutations

import pytest

from presence_syncd.connectors.bems import wire as bems
from presence_syncd.connectors.graph import wire as graph
from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.connectors.ucwa import wire as ucwa
from presence_syncd.core.compose import compose
from presence_syncd.core.decision import WRITES, Sink
from presence_syncd.core.entry import Entry, Observation
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import AVAILABLE, BRB, OFFLINE, Availability, Status
from presence_syncd.core.publication import Accepted, accept, begin
from presence_syncd.core.reconcile import reconcile
from presence_syncd.core.view import Rules, View
from presence_syncd.core.vocabulary import Vocabulary

SERVICES = {
    "graph": graph.PREFERRED,
    "symphony": symphony.vocabulary(),
    "ucwa": ucwa.VOCABULARY,
    "bems": bems.vocabulary(),
}
STARTS = [(service, raw, status) for service, words in SERVICES.items() for raw, status in words.reads.items()]
ORDERS = 200
RULES = Rules()
Reading = tuple[str, Status]
Check = Callable[[str, Status, list[list[Reading]]], bool]


def read_backs(vocabulary: Vocabulary, word: str, *, decays: bool) -> list[Status]:
    """All that can be read after `word` was written, while a client of the person is there."""
    echoes = [status for status in sorted(vocabulary.echoes[word], key=str) if not status.ooo]
    kept = [status for status in echoes if not status.is_absent or "Off" in word or word == "OFFLINE"]
    if not decays:
        return kept
    may_be = {Status(to, idle=idle) for _, to, idle in vocabulary.fades}
    faded = {shown for shown in may_be if any(vocabulary.is_fade(status, shown) for status in kept)}
    return kept + sorted(faded - set(kept), key=str)


def orders(readings: list[Reading], seed: str) -> Iterator[list[Reading]]:
    """200 random orders, or all where there are fewer."""
    if len(readings) <= 5:
        yield from ([*order] for order in permutations(readings))
        return
    rng = random.Random(seed)
    for _ in range(ORDERS):
        yield rng.sample(readings, len(readings))


def written(source: str, status: Status) -> dict[str, str]:
    """The first round of writes: what each other service is told."""
    words = {name: vocabulary.word_for(status) for name, vocabulary in SERVICES.items() if name != source}
    return {name: word for name, word in words.items() if word is not None}


def wrong_starts(check: Check, *, decays: bool) -> list[str]:
    """The start values of which an order is handled wrongly by `check`."""
    wrong = []
    for source, raw, status in STARTS:
        readings = [
            (name, shown)
            for name, word in written(source, status).items()
            for shown in read_backs(SERVICES[name], word, decays=decays)
        ]
        if check(source, status, list(orders(readings, raw))):
            wrong.append(f"{source}: {raw}")
    return wrong


def raw_equality(_source: str, status: Status, given: list[list[Reading]]) -> bool:
    """Naive: whatever differs from the person's status is news."""
    return any(shown != status for order in given for _name, shown in order)


def projection(_source: str, status: Status, given: list[list[Reading]]) -> bool:
    """Naive: what would be written for what is read must be what was written."""
    return any(
        SERVICES[name].word_for(shown) != SERVICES[name].word_for(status) for order in given for name, shown in order
    )


def core_from(before: Status) -> Check:
    """The core, where every other service showed `before` at first."""

    def check(source: str, status: Status, given: list[list[Reading]]) -> bool:
        view = View({name: Entry() for name in SERVICES})
        for name in SERVICES:
            view = show(view, name, before, 1.0)
        view = show(view, source, status, 10.0)
        told = decide(view, 50.0)
        for name, word in told.items():
            view = begin(view, name, word, status, 2000.0, 50.0)
            view = accept(view, name, Accepted(), 51.0)
        return any(is_wrong(view, [reading for reading in order if reading[0] in told]) for order in given)

    return check


def is_wrong(view: View, order: list[Reading]) -> bool:
    """Whether a read-back in this order makes a write, or changes the person's status."""
    person = compose(view, RULES, 1000.0)
    for place, (name, shown) in enumerate(order):
        view = show(view, name, shown, 52.0 + 40.0 * place)
        if decide(view, 52.0 + 40.0 * place):
            return True
    after = compose(view, RULES, 1000.0)
    return bool(decide(view, 1000.0)) or after != person


def show(view: View, name: str, status: Status, at: float) -> View:
    return observe(view, name, Observation(status, str(status), at, at), SERVICES[name], RULES)[0]


def decide(view: View, now: float) -> dict[str, str]:
    """What would be written now, by service."""
    decisions = {name: reconcile(view, Sink(name, words), RULES, now) for name, words in SERVICES.items()}
    return {name: str(d.word) for name, d in decisions.items() if d.reason in WRITES}


def test_there_are_52_start_values() -> None:
    assert len(STARTS) == 52
    assert all(status.availability is not Availability.UNKNOWN for _, _, status in STARTS)


@pytest.mark.parametrize("decays", [False, True], ids=["echoes", "echoes and decays"])
@pytest.mark.parametrize("before", [OFFLINE, AVAILABLE, BRB], ids=str)
def test_no_start_value_of_52_is_handled_wrongly(before: Status, decays: bool) -> None:
    assert wrong_starts(core_from(before), decays=decays) == []


@pytest.mark.parametrize(("decays", "least"), [(False, 20), (True, 30)], ids=["echoes", "echoes and decays"])
def test_comparing_values_is_wrong_for_most(decays: bool, least: int) -> None:
    wrong = wrong_starts(raw_equality, decays=decays)
    print(f"raw equality: {len(wrong)} of {len(STARTS)} wrong (decays: {decays})")
    assert len(wrong) >= least


@pytest.mark.parametrize(("decays", "least"), [(False, 2), (True, 20)], ids=["echoes", "echoes and decays"])
def test_comparing_what_would_be_written_is_wrong_for_some(decays: bool, least: int) -> None:
    wrong = wrong_starts(projection, decays=decays)
    print(f"projection: {len(wrong)} of {len(STARTS)} wrong (decays: {decays})")
    assert len(wrong) >= least
