"""Turns: so many at once, in the order they came, those who go before others first."""

from __future__ import annotations

import random

import pytest

from presence_syncd.engine.turns import Turns


class Standing:
    """Somebody in line."""

    def __init__(self, name: str, called: list[str]) -> None:
        self.name, self.called = name, called

    def call(self) -> None:
        self.called.append(self.name)


def test_as_many_begin_as_may_and_the_others_when_it_is_their_turn() -> None:
    called: list[str] = []
    turns, people = Turns(2), [Standing(name, called) for name in "abcde"]
    assert [turns.take(each.call, vip=False) for each in people] == [True, True, False, False, False]
    assert called == []
    turns.give_back()
    assert called == ["c"]
    turns.give_back()
    turns.give_back()
    assert called == ["c", "d", "e"]
    assert not turns.take(people[0].call, vip=False), "two of them have their turn still"
    for _ in range(3):
        turns.give_back()
    assert called == ["c", "d", "e", "a"]
    assert [turns.take(each.call, vip=False) for each in people[:3]] == [True, True, False]


def test_who_goes_before_others_is_called_before_them() -> None:
    called: list[str] = []
    turns, people = Turns(1), [Standing(name, called) for name in "abcde"]
    for each in people:
        turns.take(each.call, vip=each.name in "ce")
    for _ in people:
        turns.give_back()
    assert called == ["c", "e", "b", "d"]


@pytest.mark.parametrize("vip", [False, True])
def test_who_leaves_the_line_is_not_called(vip: bool) -> None:
    called: list[str] = []
    turns, people = Turns(1), [Standing(name, called) for name in "abc"]
    for each in people:
        turns.take(each.call, vip=vip)
    turns.leave(people[1].call)
    turns.leave(people[1].call)
    for _ in people:
        turns.give_back()
    assert called == ["c"]


def test_no_turn_is_lost_or_doubled_whatever_comes() -> None:
    rng = random.Random(1)
    called: list[str] = []
    turns, having, standing = Turns(3), 0, dict[str, Standing]()
    for number in range(2000):
        what = rng.choice("tttgl")
        if what == "t":
            each = Standing(str(number), called)
            if turns.take(each.call, vip=rng.random() < 0.1):
                having += 1
            else:
                standing[each.name] = each
        elif what == "g" and having:
            having -= 1
            turns.give_back()
        elif what == "l" and standing:
            turns.leave(standing.pop(rng.choice(list(standing))).call)
        for name in called:
            del standing[name]
            having += 1
        called.clear()
        assert having <= 3
        assert not standing or having == 3
