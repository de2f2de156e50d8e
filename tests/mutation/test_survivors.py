"""The survivors are read from what mutmut prints, and only those that are explained are let through."""

from __future__ import annotations

import pytest

from tests.mutation.__main__ import verdict
from tests.mutation.survivors import Change, alive, change, outdated, place, read_explained, unexplained

RESULTS = """
    presence_syncd.core.view.xǁViewǁput__mutmut_1: survived
    presence_syncd.core.observe.x__kind__mutmut_12: no tests
    presence_syncd.core.observe.x__kind__mutmut_13: timeout
    presence_syncd.core.observe.x__kind__mutmut_14: not checked
    presence_syncd.core.change.x_of_word__mutmut_1: not checked
"""
DIFF = """# presence_syncd.core.observe.x__kind__mutmut_12: survived
--- presence_syncd/core/observe.py
+++ presence_syncd/core/observe.py
@@ -1,3 +1,3 @@
 def _kind() -> bool:
-    return a < b
+    return a <= b
"""
CHANGE = Change("observe._kind", "return a < b", "return a <= b")


def test_mutants_that_no_test_noticed_or_that_were_not_tried_are_alive() -> None:
    assert alive(RESULTS, ["view", "observe"]) == [
        "presence_syncd.core.view.xǁViewǁput__mutmut_1",
        "presence_syncd.core.observe.x__kind__mutmut_12",
        "presence_syncd.core.observe.x__kind__mutmut_14",
    ]
    assert alive(RESULTS, ["entry"]) == []


def test_a_mutant_is_known_by_its_function_and_lines() -> None:
    assert place("presence_syncd.core.view.xǁViewǁput__mutmut_1") == "view.View.put"
    assert change("presence_syncd.core.observe.x__kind__mutmut_12", DIFF) == CHANGE
    assert str(CHANGE) == "observe._kind\n  - return a < b\n  + return a <= b"


def test_only_survivors_without_an_explanation_are_left() -> None:
    other = Change("view.View.put", "a", "b")
    assert unexplained([CHANGE, other, other], {CHANGE: "equal"}) == [other]


def test_an_explanation_of_what_does_not_survive_is_outdated() -> None:
    other = Change("view.View.put", "a", "b")
    assert outdated([other], {CHANGE: "equal", other: "equal"}, ["view", "observe"]) == [CHANGE]
    assert outdated([], {CHANGE: "equal", other: "equal"}, ["view"]) == [other]


def test_the_verdict_is_good_only_where_the_survivors_are_those_that_are_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explained = [one for one in read_explained() if one.where.startswith("compose.")]
    assert verdict(explained, ["compose"]) == 0
    assert verdict([*explained, CHANGE], ["compose"]) == 1
    assert f"no test fails: {CHANGE}\n{len(explained) + 1} survived, 1 of them not explained" in capsys.readouterr().out
    assert verdict(explained[1:], ["compose"]) == 1
    assert f"explained, but does not survive: {explained[0]}\n" in capsys.readouterr().out


def test_each_explained_survivor_has_a_reason() -> None:
    explained = read_explained()
    assert explained
    assert all(explained.values())
