"""Every path of tomllib's result has a place, and the place is where a person would look."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_syncd.toml_places import Path, locate

LEAVES = st.one_of(
    st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.floats(allow_nan=False), st.datetimes(), st.dates()
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)
TEXTS = st.text(alphabet=" \t\n\r#[]{}.,=\"'\\abk1-_é", max_size=40)


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every path through what tomllib returned."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from paths(item, (*path, key))


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(st.text(max_size=4), TREES, max_size=4), st.booleans())
def test_finds_exactly_the_paths_that_tomllib_reads(document: dict[str, object], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # tomli-w does not escape everything
    assert set(locate(text)) == set(paths(read))


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_finds_the_paths_of_any_odd_text_that_tomllib_accepts(text: str) -> None:
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(locate(text.replace("\r\n", "\n"))) == set(paths(read))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=4), LEAVES), max_size=6, unique_by=lambda pair: pair[0]))
def test_each_key_stands_where_its_line_says(pairs: list[tuple[str, object]]) -> None:
    lines = [tomli_w.dumps({key: value}).rstrip("\n") for key, value in pairs]
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return
    found = locate("\n".join(f"  {line}" for line in lines))
    assert [found[(key,)] for key, _ in pairs] == [(number, 3) for number in range(1, len(pairs) + 1)]


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("a = 1", ("a",), (1, 1)),
        ("# note\n\n  a.b = 1", ("a", "b"), (3, 3)),
        ("[a]\nb = 1\n[a.c]\n", ("a", "c"), (3, 1)),
        ("[[a]]\nx = 1\n[[a]]\nx = 2", ("a", 1, "x"), (4, 1)),
        ("[[a]]\n[a.b]\nx = 1\n[[a]]\n[a.b]\nx = 2", ("a", 1, "b", "x"), (6, 1)),
        ("[[a]]\n[[a.b]]\n[[a.b]]\nx = 2", ("a", 0, "b", 1, "x"), (4, 1)),
        ("a = { b = 1, c = { d = 2 } }", ("a", "c", "d"), (1, 20)),
        ("a = [\n  1, # one\n  'two',\n]", ("a", 1), (3, 3)),
        ('a = """\nx = 1\n"quoted"""""\nb = 2', ("b",), (4, 1)),
        ("a = '''it's'''\nb = 2", ("b",), (2, 1)),
        ('"a.b" . "c\\u00e9" = 1', ("a.b", "cé"), (1, 1)),
        ('"é" = { b = 1 }', ("é", "b"), (1, 9)),
        ('a = "# no comment" # one\nb = 2', ("b",), (2, 1)),
        ('a = "\\" # [x]"\nb = 1', ("b",), (2, 1)),
        ("a = [[1, 2], [3]]", ("a", 1, 0), (1, 15)),
        ("a = []\nb = {}\nc = 1979-05-27 07:32:00Z\nd = 1", ("d",), (4, 1)),
    ],
)
def test_points_at_the_key(text: str, path: Path, place: tuple[int, int]) -> None:
    tomllib.loads(text)
    assert locate(text)[path] == place


def test_reads_ten_thousand_accounts_in_linear_time() -> None:
    account = '[[account]]\nname = "x"\n[account.links.teams]\nuser = "u"\n[account.links.skype]\nsip = "s"\n'

    def seconds(count: int) -> float:
        text, before = account * count, time.process_time()
        locate(text)
        return time.process_time() - before

    small = min(seconds(1_000) for _ in range(3))
    assert seconds(10_000) < max(small, 0.005) * 40


def test_refuses_text_that_is_no_toml_instead_of_looping() -> None:
    with pytest.raises(ValueError, match="offset 0"):
        locate("= 1")
