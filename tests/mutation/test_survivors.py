"""The survivors are read from what mutmut prints, and only those that are explained are let through."""

from __future__ import annotations

from tests.mutation.survivors import Change, alive, change, place, read_explained, unexplained

RESULTS = """
    presence_syncd.core.view.xǁViewǁput__mutmut_1: survived
    presence_syncd.core.observe.x__kind__mutmut_12: no tests
    presence_syncd.core.observe.x__kind__mutmut_13: timeout
    presence_syncd.core.observe.x__kind__mutmut_14: not checked
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


def test_mutants_that_no_test_noticed_are_alive() -> None:
    assert alive(RESULTS) == [
        "presence_syncd.core.view.xǁViewǁput__mutmut_1",
        "presence_syncd.core.observe.x__kind__mutmut_12",
    ]


def test_a_mutant_is_known_by_its_function_and_lines() -> None:
    assert place("presence_syncd.core.view.xǁViewǁput__mutmut_1") == "view.View.put"
    assert change("presence_syncd.core.observe.x__kind__mutmut_12", DIFF) == CHANGE
    assert str(CHANGE) == "observe._kind\n  - return a < b\n  + return a <= b"


def test_only_survivors_without_an_explanation_are_left() -> None:
    other = Change("view.View.put", "a", "b")
    assert unexplained([CHANGE, other, other], {CHANGE: "equal"}) == [other]


def test_each_explained_survivor_has_a_reason() -> None:
    explained = read_explained()
    assert explained
    assert all(explained.values())
