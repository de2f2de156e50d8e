"""An account's explanation in sentences, as the control socket tells it: `explain` of the command line.

The one rule: the order is that of the chain: the status, whose word it is and why no other; what an operator ordered;
then each link with what it shows, what was written, why, and what comes next; then what happened lately.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from presence_syncd.happenings import phrase
from presence_syncd.spans import ago, span

UNCLAIMED = frozenset({"own-word", "read-only", "standby", "nothing-said", "unsayable", "held"})
"""Reasons for which nothing is claimed in a service, so that no proof is asked for."""
UNWRITTEN = frozenset({"own-word", "read-only", "standby"})
"""Reasons for which it goes without saying that nothing was written."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A heading, and sentences that belong together; `bad` says that a person should look."""

    heading: str
    lines: tuple[str, ...]
    bad: bool = False


def story(account: dict[str, Any]) -> list[Paragraph]:
    """Tell the whole chain of one account, as `GET /api/v1/accounts/NAME` gives it."""
    chain = account["explanation"]
    doors = _doors(chain["links"])
    paragraphs = [_status(account["account"], chain, doors)]
    if orders := tuple(_orders(account, chain)):
        paragraphs.append(Paragraph("held back", orders, bad=True))
    paragraphs += [_link(link) for link in chain["links"]]
    if account["lately"]:
        paragraphs.append(Paragraph("lately", tuple(_lately(account["lately"]))))
    return paragraphs


def _doors(links: list[dict[str, Any]]) -> dict[str, str]:
    """The name of each presence domain, with its services where they are called otherwise."""
    doors: dict[str, list[str]] = {}
    for link in links:
        doors.setdefault(link["domain"], []).append(link["service"])
    return {d: d if services == [d] else f"{d} ({' and '.join(services)})" for d, services in doors.items()}


def _status(name: str, chain: dict[str, Any], doors: dict[str, str]) -> Paragraph:
    status = chain["status"]
    if status is None:
        return Paragraph(f"{name}: no status", ("No service has told a status yet, so nothing is written.",))
    lines = [_whose_word(chain, doors)]
    if status["shown_as"] != status["said"]:
        lines.append(f"By the account's policy {status['said']} is shown elsewhere as {status['shown_as']}.")
    others = [word for word in chain["words"] if not word["counts"]]
    lines += [_meanwhile(others)] if chain["pin"] and others else [_not_counted(word, doors) for word in others]
    if chain["note"]:
        lines.append(_note(chain["note"]))
    return Paragraph(f"{name}: {status['shown_as']}", tuple(lines))


def _whose_word(chain: dict[str, Any], doors: dict[str, str]) -> str:
    status, pin = chain["status"], chain["pin"]
    if pin:
        reason = f": {pin['reason']}" if pin["reason"] else ""
        by = pin["by"] or "An operator"
        return f"{by} pinned it, for another {span(pin['for'])}{_named(status)}{reason}. A pin is above all words."
    word = next(word for word in chain["words"] if word["counts"])
    return f'{_said(word, doors)}. By the rule compose = "{status["rule"]}", {status["because"]}.'


def _said(word: dict[str, Any], doors: dict[str, str]) -> str:
    """Where the person said what when, under which name it is followed, and what became of it."""
    text = f"In {doors.get(word['domain'], word['domain'])} the person said {word['said']} {ago(word['ago'])}"
    text += _named(word)
    if word["faded_to"] is None:
        return text
    counts = f", which counts in {span(word['fade_counts_in'])}" if word["fade_counts_in"] else ""
    return f"{text}; by itself it turned to {word['faded_to']} {ago(word['faded_ago'])}{counts}"


def _named(told: dict[str, Any]) -> str:
    """The name of a change, as it is in the log."""
    return f" (change {told['change']})" if told["change"] else ""


def _not_counted(word: dict[str, Any], doors: dict[str, str]) -> str:
    return f"{_said(word, doors)}; that does not count: {word['because']}."


def _meanwhile(words: list[dict[str, Any]]) -> str:
    said = ", ".join(f"{word['said']} in {word['domain']}" for word in words)
    return f"The person's own words meanwhile: {said}."


def _note(note: dict[str, Any]) -> str:
    """Where a note of the person goes, and where not; what it says is not repeated."""
    text = f"The person wrote a note in {note['in']}"
    if not note["mirrored"]:
        return f'{text}; it is not mirrored, by the policy note = "ignore".'
    if note["not_in"]:
        return f"{text}; it is mirrored, but {' and '.join(note['not_in'])} cannot be given one."
    return f"{text}; it is mirrored."


def _orders(account: dict[str, Any], chain: dict[str, Any]) -> Iterator[str]:
    """What keeps the whole account from being written."""
    name = account["account"]
    if chain["paused"]:
        yield f"It is paused: nothing is written until `presence-syncd resume {name}`."
    if chain["frozen_for"]:
        yield f"It is frozen for another {span(chain['frozen_for'])}: something makes a loop, so changes wait."
    if (state := STATES.get(account["state"])) is not None:
        yield state.format(name=name)
    elif account["state"] != "running":
        yield PARKED.format(name=name, kind=account["state"])
    if account["restarts"]:
        yield f"Its task was started again {_times(account['restarts'])}; what ended it last: {account['last_error']}."


STATES = {
    "restarting": "Its task broke, and starts again in a moment.",
    "parked": "Its task broke too often and rests for a while; `presence-syncd restart {name}` starts it now.",
    "stopped": "Its task has ended.",
}
"""What is said of the states of an account's task that are not `running`."""
PARKED = (
    "It is parked ({kind}): a service refuses its credentials, or a secret is missing. It is tried again now and then, "
    "when the configuration is reloaded, and with `presence-syncd restart {name}`."
)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _link(link: dict[str, Any]) -> Paragraph:
    shows = link["shows"] or "not read yet"
    told = (_shown, _written, _reason, _budget, _proof, _next, _trouble, _state)
    lines = (tell(link) for tell in told)
    heading = f"{link['service']}: {shows}"
    return Paragraph(heading, tuple(line for line in lines if line), bad=bool(link["trouble"]))


WHOSE = {
    "ours": "because we wrote it",
    "the person's": "which is the person's own doing",
    "nobody's": "because no client of the person is there",
}


def _shown(link: dict[str, Any]) -> str:
    if link["shows"] is None:
        return "It was not read yet."
    heard = f"last heard {ago(link['heard_ago'])}" if link["heard_ago"] is not None else "not heard since the start"
    beneath = f" Before ours it showed {link['beneath']}." if link["beneath"] else ""
    return f"It has shown {link['raw']} for {span(link['shown_ago'])}, {WHOSE[link['whose']]}; {heard}.{beneath}"


def _written(link: dict[str, Any]) -> str:
    written = link["written"]
    if written is None or link["reason"] == "standby":  # the other link wrote
        return "" if link["reason"] in UNWRITTEN else "We have not written here."
    instead = f" (in place of {written['instead_of']}, which it refused)" if written["instead_of"] else ""
    return f"We wrote {written['word']}{instead} {ago(written['ago'])}{_named(written)}: {', '.join(_fate(written))}."


def _fate(written: dict[str, Any]) -> Iterator[str]:
    """What became of a write."""
    if written["failed"]:
        yield "it failed"
    else:
        yield "accepted" if written["accepted"] else "no answer yet"
    yield "seen there" if written["seen"] else "not seen there"
    if written["replaced_by_person"]:
        yield "replaced by the person since"
    if written["taken_back"]:
        yield "taken back since"
    elif written["ends_in"] is not None and written["accepted"]:
        yield f"ends by itself in {span(written['ends_in'])}" if written["ends_in"] > 0 else "ended by now"
        if written["renewed_in"]:
            yield f"due to be renewed in {span(written['renewed_in'])}"


def _reason(link: dict[str, Any]) -> str:
    text = f"{link['because'][:1].upper()}{link['because'][1:]} ({link['reason']})."
    if link["wants"] is None or link["reason"] in UNWRITTEN:
        return text
    nearest = f"{link['wants']} is the nearest it can say. " if link["is_nearest"] else ""
    return f"{nearest}{text}" if link["shows_it"] else f"It should show {link['wants']}. {nearest}{text}"


def _budget(link: dict[str, Any]) -> str:
    """What the write waits for, if that is the request budget."""
    budget = link["budget"]
    if budget is None:
        return ""
    pause = f"the service asked for a pause, of which {span(budget['paused_for'])} are left; "
    before = f"{budget['waiting']} requests wait, and {budget['rate']:g} a second are granted"
    return f"It waits for the service's request budget: {pause if budget['paused_for'] else ''}{before}."


def _proof(link: dict[str, Any]) -> str:
    if link["proof"] is None or link["reason"] in UNCLAIMED:
        return ""
    verb = " is" if link["proof"].startswith(("not needed", "missing")) else ":"
    return f"Proof that it is still true{verb} {link['proof']}."


def _next(link: dict[str, Any]) -> str:
    if link["next"] is None:
        return "It is decided again when something changes."
    return f"It is decided again in {span(link['next'])}, or when something changes."


def _trouble(link: dict[str, Any]) -> str:
    if link["trouble"] is None:
        return ""
    again = f"; tried again in {span(link['trouble_again_in'])}" if link["trouble_again_in"] else ""
    return f"Trouble for {span(link['trouble_for'])}: {link['trouble']}{again}."


def _state(link: dict[str, Any]) -> str:
    return f"Its session: {link['state']}." if link["state"] else ""


def _lately(events: list[dict[str, Any]]) -> Iterator[str]:
    """What happened, the newest last, in columns: when, where, of which change, what."""
    times = [ago(event["at"]) for event in events]
    places = [event.get("service", "") for event in events]
    changes = [event.get("change") or "" for event in events]
    for when, where, change, event in zip(times, places, changes, events, strict=True):
        columns = f"{when:>{max(map(len, times))}}  {where:{max(map(len, places))}}  {change:{max(map(len, changes))}}"
        yield f"{columns}  {phrase(event)}"
