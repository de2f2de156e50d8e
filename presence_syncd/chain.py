"""The explanation of one account: the core's chain, with what only the engine knows.

The one rule: why something is not written, or not known, is told beside it: a budget, a feed, a note nobody mirrors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from presence_syncd.core.change import of_status, of_word
from presence_syncd.core.compose import compose
from presence_syncd.core.explain import Told, explain
from presence_syncd.engine.account import Account
from presence_syncd.engine.feed import Feed
from presence_syncd.engine.place import Placed


def chain_of(account: Account, feeds: Mapping[str, Feed], now: float) -> dict[str, Any]:
    """Explain one account as plain values; times are seconds ago or ahead. `feeds` are those of the services."""
    told = [_told(link, feeds.get(link.service)) for link in account.links]
    chain = explain(account.board.view, told, account.board.rules, now)
    for facts, link in zip(chain["links"], account.links, strict=True):
        facts["budget"] = _budget(link)
    chain["note"] = _note(account)
    _name_changes(chain, account, now)
    return chain


def _told(link: Placed, feed: Feed | None) -> Told:
    """What the engine knows of one link; a feed that is in trouble is the trouble of everybody in it."""
    troubles = (link.trouble, link.hearing, *([feed.trouble] if feed else []))
    trouble = next((trouble for trouble in troubles if trouble.error), None)
    reading = "it cannot be read: " if trouble and trouble is not link.trouble else ""
    said = f"{reading}{trouble.kind}: {trouble.error}" if trouble else ""
    state = f"{link.state} {link.detail}".strip()
    since, again = (trouble.since, trouble.retry_at) if trouble else (0.0, 0.0)
    return Told(link.service, link.sink(), link.decision, said, state, since, again)


def _budget(link: Placed) -> dict[str, Any] | None:
    """What a write waits for, if it waits for the request budget of its service."""
    budget = link.driver.budget
    if not link.writing or not (budget.waiting or budget.paused_for):
        return None
    return {"waiting": budget.waiting, "paused_for": round(budget.paused_for, 1), "rate": round(budget.rate, 2)}


def _note(account: Account) -> dict[str, Any] | None:
    """Where the person wrote a note last, and where it does not go; never what it says."""
    noted = {domain: e.note_at for domain, e in account.board.view.entries.items() if e.note_word}
    if not noted:
        return None
    said_in = max(noted, key=lambda domain: noted[domain])
    others = [link for link in account.links if link.domain != said_in and link.direction.writes]
    without = [link.service for link in others if not link.driver.service.traits.notes]
    return {"in": said_in, "mirrored": account.board.rules.notes, "not_in": without}


def _name_changes(chain: dict[str, Any], account: Account, now: float) -> None:
    """Add the names of the changes, as they are in the log."""
    view = account.board.view
    if chain["status"]:
        chain["status"]["change"] = of_status(account.name, view, compose(view, account.board.rules, now))
    for told in chain["words"]:
        word = view.entries[told["domain"]].word
        told["change"] = of_word(account.name, told["domain"], word) if word else None
