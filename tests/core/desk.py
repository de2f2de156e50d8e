"""One account's view by hand: readings are put in, decisions taken out, writes done step by step."""

from __future__ import annotations

from presence_syncd.connectors.bems import wire as bems
from presence_syncd.connectors.graph import wire as graph
from presence_syncd.connectors.symphony import wire as symphony
from presence_syncd.connectors.ucwa import wire as ucwa
from presence_syncd.core.compose import Composed, compose
from presence_syncd.core.decision import WRITES, Decision, Reason, Sink
from presence_syncd.core.entry import Entry, Kind, Observation, Publication, Word
from presence_syncd.core.observe import observe
from presence_syncd.core.presence import parse_status
from presence_syncd.core.publication import Accepted, accept, begin, fail, freeze, take_back, vouch
from presence_syncd.core.reconcile import reconcile
from presence_syncd.core.values import replace
from presence_syncd.core.view import Direction, Pin, Rules, View
from presence_syncd.core.vocabulary import Vocabulary

VOCABULARIES = {
    "teams": graph.PREFERRED,
    "session": graph.SESSION,
    "symphony": symphony.vocabulary(),
    "skype": ucwa.VOCABULARY,
    "bems": bems.vocabulary(),
}
UNFADING = {"bems"}
WAKING = {"skype"}
VISIBLE_WITHIN = 60.0


class Desk:
    """A view and its links. Statuses are given as text; times are the daemon's seconds."""

    def __init__(self, *names: str, rules: Rules | None = None, **directions: Direction) -> None:
        self.rules = rules or Rules()
        self.view = View({name: Entry() for name in names})
        self.sinks = {name: Sink(name, VOCABULARIES[name], directions.get(name, Direction.BOTH)) for name in names}
        self.sinks |= {name: replace(self.sinks[name], fades=False) for name in UNFADING & set(names)}
        self.sinks |= {name: replace(self.sinks[name], wakes=True) for name in WAKING & set(names)}

    def see(
        self,
        name: str,
        status: str,
        at: float,
        *,
        from_: float | None = None,
        order: int | str | None = None,
        note: str | None = None,
        changed_at: float | None = None,
    ) -> Kind:
        """A reading arrives at `at`, asked for at `from_`."""
        seen = Observation(parse_status(status), status, at if from_ is None else from_, at, note, order, changed_at)
        sink = self.sinks[name]
        self.view, kind = observe(self.view, name, seen, sink.vocabulary, self.rules, sink.direction)
        return kind

    def start(self, **statuses: str) -> None:
        """The first reading of everything, in the first second."""
        for name, status in statuses.items():
            self.see(name, status, 1.0)

    def decide(self, name: str, now: float) -> Decision:
        """What to do for a link."""
        return reconcile(self.view, self.sinks[name], self.rules, now)

    def why(self, name: str, now: float) -> Reason:
        """The reason of that."""
        return self.decide(name, now).reason

    def writing(self, now: float) -> dict[str, str]:
        """What would be written now, by link."""
        decisions = {name: self.decide(name, now) for name in self.sinks}
        return {name: str(d.word) for name, d in decisions.items() if d.reason in WRITES}

    def begin(self, name: str, now: float, *, visible_within: float = VISIBLE_WITHIN) -> Decision:
        """Note what is about to be written."""
        decision = self.decide(name, now)
        assert decision.reason in WRITES, decision
        assert decision.word is not None
        assert decision.status is not None
        if decision.reason is not Reason.REFRESH:
            view = begin(self.view, name, decision.word, decision.status, visible_within, now, note=decision.note)
            self.view = freeze(view, name, self.rules, now)
        return decision

    def accept(self, name: str, now: float, shown: str | None = None, **answer: float | str | int | None) -> None:
        """The service took it."""
        given = Accepted(parse_status(shown) if shown else None, **answer)  # type: ignore[arg-type]  # by name
        self.view = accept(self.view, name, given, now)

    def fail(self, name: str, now: float = 0.0, *, settled: bool = False) -> None:
        self.view = fail(self.view, name, now, settled=settled)

    def write(self, name: str, now: float, shown: str | None = None, **answer: float | str | int | None) -> Decision:
        """Note, write, accept at once."""
        decision = self.begin(name, now)
        self.accept(name, now, shown, **answer)
        return decision

    def take_back(self, name: str, now: float, *, hidden: bool = False) -> None:
        self.view = take_back(self.view, name, VISIBLE_WITHIN, now, hidden=hidden)

    def sink(self, name: str, vocabulary: Vocabulary | None = None, **changes: object) -> None:
        """Change what is known of a link."""
        if vocabulary is not None:
            changes["vocabulary"] = vocabulary
        self.sinks[name] = replace(self.sinks[name], **changes)

    def foretell(self, name: str, status: str, until: float) -> None:
        """Let a door sign in with a status."""
        entry = replace(self.entry(name), foretold=parse_status(status), foretold_until=until)
        self.view = self.view.put(name, entry)

    def vouch(self, name: str, now: float, until: float) -> None:
        """Report activity there."""
        self.view = vouch(self.view, name, until, self.rules, now)

    def pin(self, status: str, until: float) -> None:
        self.view = replace(self.view, pin=Pin(parse_status(status), until))

    def pause(self, *, paused: bool) -> None:
        self.view = replace(self.view, paused=paused)

    def restart(self, now: float) -> None:
        """Start again with the view that was kept."""
        entries = {name: replace(entry, live_at=None) for name, entry in self.view.entries.items()}
        self.view = replace(self.view, entries=entries, started_at=now)

    def composed(self, now: float) -> Composed:
        composed = compose(self.view, self.rules, now)
        assert composed is not None
        return composed

    def status(self, now: float) -> str:
        """The person's status, as text."""
        return str(self.composed(now).status)

    def entry(self, name: str) -> Entry:
        return self.view.entries[name]

    def word(self, name: str) -> Word:
        word = self.entry(name).word
        assert word is not None
        return word

    def publication(self, name: str) -> Publication:
        publication = self.entry(name).publication
        assert publication is not None
        return publication
