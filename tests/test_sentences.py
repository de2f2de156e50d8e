"""Explanations, events and times in words; tables on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import Any

import pytest

from presence_syncd import commands, overview
from presence_syncd.happenings import is_bad, phrase
from presence_syncd.sentences import Paragraph, story
from presence_syncd.spans import ago, span
from presence_syncd.tables import print_paragraphs, print_table

LINK: dict[str, Any] = {
    "service": "teams",
    "domain": "teams",
    "direction": "both",
    "shows": "busy",
    "raw": "Busy/Busy",
    "shown_ago": 90,
    "heard_ago": 2.0,
    "whose": "ours",
    "beneath": None,
    "wants": "Busy/Busy",
    "is_nearest": False,
    "shows_it": True,
    "reason": "in-sync",
    "because": "it shows what it should",
    "written": None,
    "proven": True,
    "proof": None,
    "next": None,
    "trouble": None,
    "trouble_for": None,
    "trouble_again_in": None,
    "state": None,
    "budget": None,
}
WRITTEN: dict[str, Any] = {
    "word": "Busy/Busy",
    "instead_of": None,
    "ago": 60,
    "accepted": True,
    "failed": False,
    "seen": True,
    "ends_in": None,
    "renewed_in": None,
    "taken_back": False,
    "replaced_by_person": False,
    "change": "0badcafe",
}
WORD: dict[str, Any] = {
    "domain": "sfb",
    "said": "busy",
    "ago": 5,
    "faded_to": None,
    "faded_ago": None,
    "fade_counts_in": None,
    "counts": True,
    "because": None,
    "change": "0badcafe",
}
STATUS = {
    "shown_as": "busy",
    "said": "busy",
    "in": "sfb",
    "ago": 5,
    "rule": "latest",
    "because": "the newest word wins",
    "change": "0badcafe",
}


def told(*links: dict[str, Any], chain: dict[str, Any] | None = None, **facts: Any) -> list[Paragraph]:
    explanation = {
        "status": STATUS,
        "pin": None,
        "paused": False,
        "frozen_for": None,
        "words": [WORD],
        "links": links,
        "note": None,
    }
    account = {
        "account": "alice",
        "state": "running",
        "status": "busy",
        "restarts": 0,
        "last_error": None,
        "lately": [],
    }
    return story({**account, "explanation": {**explanation, **(chain or {})}, **facts})


def line_of(**facts: Any) -> str:
    return " ".join(told({**LINK, **facts})[1].lines)


def test_nobody_said_anything() -> None:
    (only,) = told(chain={"status": None})
    assert only == Paragraph("alice: no status", ("No service has told a status yet, so nothing is written.",))


def test_doors_to_one_presence_are_named() -> None:
    doors = [{**LINK, "service": name, "domain": "sfb"} for name in ("skype", "blackberry")]
    first = told(*doors)[0].lines[0]
    assert first.startswith(
        "In sfb (skype and blackberry) the person said busy 5 s ago (change 0badcafe). By the rule compose"
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"faded_to": "away", "faded_ago": 10, "fade_counts_in": 20}, "turned to away 10 s ago, which counts in 20 s."),
        ({"faded_to": "away", "faded_ago": 40}, "by itself it turned to away 40 s ago. By"),
    ],
)
def test_a_fade_is_told(facts: dict[str, Any], said: str) -> None:
    assert said in told(chain={"words": [{**WORD, **facts}]})[0].lines[0]


def test_policy_and_a_pin_without_words_are_told() -> None:
    (one,) = told(chain={"status": {**STATUS, "shown_as": "away"}})
    assert one.lines[1] == "By the account's policy busy is shown elsewhere as away."
    (one,) = told(chain={"pin": {"status": "busy", "for": 3600, "reason": "", "by": ""}, "words": []})
    assert one.lines == ("An operator pinned it, for another 1 h (change 0badcafe). A pin is above all words.",)


def test_what_holds_the_account_back_is_told() -> None:
    facts = {"state": "restarting", "restarts": 3, "last_error": "KeyError"}
    held = told(chain={"paused": True, "frozen_for": 240}, **facts)[1]
    assert (held.heading, held.bad, len(held.lines)) == ("held back", True, 4)
    assert held.lines[1].startswith("It is frozen for another 4 min")
    assert held.lines[2:] == (
        "Its task broke, and starts again in a moment.",
        "Its task was started again 3 times; what ended it last: KeyError.",
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"shows": None}, "It was not read yet."),
        ({"heard_ago": None}, "because we wrote it; not heard since the start."),
        ({"beneath": "away"}, "Before ours it showed away."),
        ({"reason": "own-word", "because": "x"}, "X (own-word)."),
        (
            {"shows_it": False, "is_nearest": True},
            "It should show Busy/Busy. Busy/Busy is the nearest it can say. It shows",
        ),
        ({"is_nearest": True}, "Busy/Busy is the nearest it can say. It shows what it should (in-sync)."),
        ({"wants": None}, "written here. It shows what it should (in-sync)."),
        ({"proof": "missing: nobody"}, "Proof that it is still true is missing: nobody."),
        ({"proof": "symphony shows it"}, "Proof that it is still true: symphony shows it."),
        ({"next": 12.0}, "It is decided again in 12 s, or when something changes."),
        ({"trouble": "Unavailable: no", "trouble_for": 60}, "Trouble for 1 min: Unavailable: no."),
        ({"trouble": "U", "trouble_for": 1, "trouble_again_in": 5}, "Trouble for 1 s: U; tried again in 5 s."),
        ({"state": "listen"}, "Its session: listen."),
    ],
)
def test_a_link_is_told(facts: dict[str, Any], said: str) -> None:
    assert said in line_of(**facts)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "We wrote Busy/Busy 1 min ago (change 0badcafe): accepted, seen there."),
        ({"accepted": False, "seen": False}, ": no answer yet, not seen there."),
        ({"failed": True, "seen": False, "accepted": False}, ": it failed, not seen there."),
        ({"instead_of": "DND"}, "We wrote Busy/Busy (in place of DND, which it refused) 1 min"),
        ({"ends_in": 300, "renewed_in": 200}, "ends by itself in 5 min, due to be renewed in 3 min 20 s."),
        ({"ends_in": 0}, "seen there, ended by now."),
        ({"ends_in": 9, "taken_back": True}, "seen there, taken back since."),
        ({"ends_in": 9, "accepted": False}, ": no answer yet, seen there."),
        ({"replaced_by_person": True}, "replaced by the person since."),
    ],
)
def test_a_write_is_told(facts: dict[str, Any], said: str) -> None:
    assert said in line_of(written={**WRITTEN, **facts})
    assert "wrote" not in line_of(written={**WRITTEN, **facts}, reason="standby", because="x", whose="nobody's")


def test_what_happened_lately_stands_in_columns() -> None:
    events = [
        {"at": 90, "event": "paused", "by": "ops"},
        {"at": 1.5, "event": "retracted", "service": "teams", "change": "0badcafe"},
    ]
    assert told(lately=events)[1].lines == (
        "1 min 30 s ago                   paused by ops: nothing is written",
        "       2 s ago  teams  0badcafe  took back what was written",
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"event": "trouble over", "error": "Unavailable", "seconds": 62.0},
            "Unavailable is over; it lasted 1 min 2 s",
        ),
        ({"event": "trouble", "doing": "change", "error": "E"}, "trouble while change: E: ?"),
        ({"event": "new thing", "account": "a", "level": "info", "size": 3}, "new thing size=3"),
        ({"event": "new thing"}, "new thing"),
        (
            {"event": "pinned", "status": "dnd", "seconds": 3600, "reason": "exam", "by": "ops", "change": "x"},
            "pinned to dnd for 1 h by ops: exam",
        ),
        (
            {"event": "pinned", "status": "dnd", "seconds": 60, "reason": "", "by": None},
            "pinned to dnd for 1 min by an operator: no reason given",
        ),
    ],
)
def test_an_event_is_said_in_words_or_as_it_is(event: dict[str, Any], said: str) -> None:
    assert phrase(event) == said


def test_warnings_and_errors_are_bad() -> None:
    assert [is_bad({"level": level}) for level in ("info", "warning", "error")] == [False, True, True]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (605, "10 min"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (273600 + 120, "3 d 4 h"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_ago() -> None:
    assert [ago(None), ago(0.4), ago(12)] == ["before the first reading", "just now", "12 s ago"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_and_wrapped_lines_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        monkeypatch.setattr(sys, "stdout", stream)
        print_table(("account", "status"), [("alice", "busy"), ("bob", "not read")])
        print_paragraphs([Paragraph("a", ("word " * 30,)), Paragraph("b", (), bad=True)])
    assert "\x1b[31mbusy" in terminal.getvalue()
    assert all(len(line) <= 60 for line in terminal.getvalue().splitlines()[4:] if "\x1b" not in line)
    lines = pipe.getvalue().splitlines()
    assert lines[:3] == ["account  status", "alice    busy", "bob      not read"]
    assert lines[3:] == ["a", "  " + "word " * 30, "", "b"]


def test_budgets_are_told_in_a_line_each_and_what_does_not_fit_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    base: dict[str, Any] = {"granted": 37.5, "slack": None, "slack_seen": None, "used": 0.5}
    budgets = [
        {**base, "service": "teams", "needed": 45.0, "ratio": 1.2, "further": -1934, "slack": 58.0, "slack_seen": -3.2},
        {**base, "service": "symphony", "needed": 0.0667, "ratio": 0.0018, "further": 1_000_000},
        {**base, "service": "skype", "needed": 0.0, "ratio": 0.0, "further": None},
    ]
    overview.print_budgets(budgets)
    overview.print_budgets([{key: budget[key] for key in budget if key != "used"} for budget in budgets[1:2]])
    overview.print_budgets([])
    lines = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()]
    live = ["least seen", "used now"]
    head = ["service", "needs", "of granted", "headroom", "room for", "time to renew"]
    assert lines == [
        [*head, *live],
        ["teams", "45/s", "37.5/s", "-20%", "1,934 too many", "58 s", "3 s late", "50%"],
        ["symphony", "0.0667/s", "37.5/s", "100%", "a million more", "-", "-", "50%"],
        ["skype", "0/s", "37.5/s", "100%", "-", "-", "-", "50%"],
        head,
        ["symphony", "0.0667/s", "37.5/s", "100%", "a million more", "-"],
    ]
    assert [said.partition(";")[0] for said in overview.unfitting(budgets)] == [
        "teams needs 120% of what it is granted while everybody is there"
    ]


def test_the_overview_leaves_out_what_an_account_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    base: dict[str, Any] = {"state": "running", "status": None, "from": None}
    accounts: list[dict[str, Any]] = [
        {**base, "account": "a", "shows": {"teams": None}, "reasons": {"teams": "unread"}},
        {**base, "account": "b", "shows": {"skype": "busy"}, "reasons": {"skype": "faded"}},
    ]
    overview.print_accounts(accounts)
    overview.print_accounts([])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split("  ")[-2:] == ["not read (unread)", "-"]
    assert second.endswith("busy (faded)")
    assert [overview.is_troubled(account) for account in accounts] == [True, False]
    assert (
        overview.summary({"waiting": {"teams": "no answer yet"}}, 1, 0) == "1 account, all well; teams: no answer yet"
    )
    assert overview.summary({"waiting": {}}, 2, 1) == "2 accounts, 1 to look at"


def test_links_without_a_reading_have_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    link = {**LINK, "shows": None, "shown_ago": None, "whose": "nobody's"}
    overview.print_links({"account": "a", "status": None, "state": "running", "explanation": {"links": [link]}})
    assert capsys.readouterr().out.splitlines()[2].split() == [
        "teams",
        "not",
        "read",
        "-",
        "nobody's",
        "-",
        "in-sync",
        "-",
    ]


def test_events_are_printed_as_lines_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    event = {"time": "2026-01-02T03:04:05.678+00:00", "event": "paused", "account": "alice", "level": "info"}
    commands.print_event(event)
    commands.print_event_json(event)
    line, text = capsys.readouterr().out.splitlines()
    assert line.split()[1:] == ["alice", "paused", "by", "an", "operator:", "nothing", "is", "written"]
    assert json.loads(text) == event


def test_long_lists_of_names_are_cut() -> None:
    done = {"added": [f"a{n}" for n in range(10)], "removed": [], "changed": [], "services": [], "ignored": []}
    assert list(commands.changes(done)) == ["accounts added: 10 (a0, a1, a2, a3, a4, a5, a6, a7 and 2 more)"]
