"""Bugs put in on purpose: each must be found by the simulation within 200 seeds.

The one rule: a bug is one function of the daemon, exchanged while a run lasts; the daemon knows nothing of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from presence_syncd.core import observe as observing
from presence_syncd.core.decision import Decision, Reason
from presence_syncd.core.entry import Kind
from presence_syncd.core.presence import AVAILABLE
from presence_syncd.core.values import replace
from presence_syncd.core.view import View
from presence_syncd.engine import budget as budgets
from tests.simulation import stores

Bug = Callable[[], list[tuple[object, str, Any]]]


accounts: Any = importlib.import_module("presence_syncd.engine.account")
deciding: Any = importlib.import_module("presence_syncd.engine.deciding")
writing: Any = importlib.import_module("presence_syncd.engine.writing")
boards: Any = importlib.import_module("presence_syncd.engine.board")


def _echo_as_own() -> list[tuple[object, str, Any]]:
    """What we wrote is not recognised when it is read back."""
    real = observing._kind

    def kind(*args: Any, **options: Any) -> Kind:
        found = real(*args, **options)
        return Kind.OWN if found is Kind.ECHO else found

    return [(observing, "_kind", kind)]


def _fade_as_word() -> list[tuple[object, str, Any]]:
    """Idle, or gone, is taken for what the person said."""
    real = observing._kind

    def kind(*args: Any, **options: Any) -> Kind:
        found = real(*args, **options)
        return Kind.OWN if found is Kind.DECAY else found

    return [(observing, "_kind", kind)]


def _no_take_back() -> list[tuple[object, str, Any]]:
    """A lease that is not true any more is not taken back."""
    real = deciding.reconcile_to

    def reconcile(*args: Any) -> Decision:
        decision = real(*args)
        return Decision(Reason.HELD) if decision.reason is Reason.RETRACT else decision

    return [(deciding, "reconcile_to", reconcile)]


def _refresh_without_evidence() -> list[tuple[object, str, Any]]:
    """Available is renewed whoever is there."""
    from presence_syncd.core import reconcile as reconciling

    return [(reconciling, "is_proven", lambda *_: True), (accounts, "may_report", lambda *_: True)]


def _never_lets_go() -> list[tuple[object, str, Any]]:
    """What we say in BlackBerry, where nothing fades, stands whoever is there."""
    from presence_syncd.core import reconcile as reconciling

    return [(reconciling, "kept_until", lambda *_: None)]


def _forget_publication_on_crash() -> list[tuple[object, str, Any]]:
    """What was written before a crash is not known after it."""
    real = stores.CrashStore.load

    async def load(self: stores.CrashStore) -> dict[str, Any]:
        return {name: replace(record, view=_forgetful(record.view)) for name, record in (await real(self)).items()}

    return [(stores.CrashStore, "load", load)]


def _forgetful(view: View | None) -> View | None:
    if view is None:
        return None
    entries = {d: replace(e, publication=None, earlier=(), mine=False) for d, e in view.entries.items()}
    return replace(view, entries=entries)


def _unknown_is_available() -> list[tuple[object, str, Any]]:
    """A service that does not know is taken to say available."""
    real = boards.observe

    def observe(view: View, domain: str, seen: Any, *args: Any, **options: Any) -> Any:
        return real(view, domain, seen if seen.status.is_known else replace(seen, status=AVAILABLE), *args, **options)

    return [(boards, "observe", observe)]


def _write_while_paused() -> list[tuple[object, str, Any]]:
    """The pause is not looked at, neither when it is decided nor when it is written."""
    real, stands = deciding.reconcile_to, writing.stands
    return [
        (
            deciding,
            "reconcile_to",
            lambda word, turn, view, *rest: real(word, turn, replace(view, paused=False), *rest),
        ),
        (writing, "stands", lambda status, view, *rest: stands(status, replace(view, paused=False), *rest)),
    ]


def _no_refresh() -> list[tuple[object, str, Any]]:
    """Leases are not renewed."""
    real = writing.accept

    def accept(view: View, domain: str, answer: Any, now: float) -> View:
        after: View = real(view, domain, replace(answer, refresh_in=None), now)
        return after

    return [(writing, "accept", accept)]


def _no_retry() -> list[tuple[object, str, Any]]:
    """A write that failed is taken for done."""
    return [(writing, "fail", lambda view, domain: writing.accept(view, domain, writing.Accepted(), 0.0))]


def _no_budget() -> list[tuple[object, str, Any]]:
    """Requests are sent without waiting for the budget."""

    async def take(self: Any, *_: Any, **__: Any) -> None:
        return None

    return [(budgets.Budget, "take", take)]


BUGS: Mapping[str, Bug] = {
    "echo-as-own": _echo_as_own,
    "fade-as-word": _fade_as_word,
    "no-take-back": _no_take_back,
    "refresh-without-evidence": _refresh_without_evidence,
    "never-lets-go": _never_lets_go,
    "forget-publication-on-crash": _forget_publication_on_crash,
    "unknown-is-available": _unknown_is_available,
    "write-while-paused": _write_while_paused,
    "no-refresh": _no_refresh,
    "no-retry": _no_retry,
    "no-budget": _no_budget,
}
"""The bugs, by name."""


@contextmanager
def sabotaged(name: str) -> Iterator[None]:
    """Put a bug in, and take it out again. Raises KeyError for one that is not known."""
    changes = [(owner, key, getattr(owner, key), bug) for owner, key, bug in BUGS[name]()]
    try:
        for owner, key, _, bug in changes:
            setattr(owner, key, bug)
        yield
    finally:
        for owner, key, real, _ in changes:
            setattr(owner, key, real)
