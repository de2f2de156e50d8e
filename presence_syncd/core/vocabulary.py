"""What one service can show and say, as tables; the values themselves live with each connector.

The one rule: what was written is recognised by the *expected-read set* of the word, never by comparing words,
because what can be written and what is read back differ in every service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from presence_syncd.core.presence import Activity, Availability, Status, parse_status
from presence_syncd.core.values import Value, replace

Fade = tuple[Availability, Availability, bool]
"""(from, to, idle): a change the service makes by itself when nobody types."""


class Vocabulary(Value, frozen=True):
    """The tables of one service. A *word* is a value the service understands when written (`Busy/InACall`).

    `reads`   what can be read, each with its meaning;
    `words`   what to write for a status; a status without a word cannot, or must not, be said here;
    `echoes`  word -> every status that may be read back because of it, without anybody's doing;
    `fades`   changes the service makes by itself to a status that was set;
    `steady`  statuses it never changes by itself, though others of their availability fade;
    `top`     words that nothing outranks: once written they show, unless the person has said something since;
    `unheld`  words that fade, although we wrote them, as soon as the person rests.
    """

    reads: Mapping[str, Status]
    words: Mapping[Status, str]
    echoes: Mapping[str, frozenset[Status]]
    fades: frozenset[Fade] = frozenset()
    steady: frozenset[Status] = frozenset()
    top: frozenset[str] = frozenset()
    unheld: frozenset[str] = frozenset()

    def word_for(self, status: Status) -> str | None:
        """Find the word that says `status`, giving up details the service does not know; None if there is none."""
        word = self.words.get(status)  # as a rule it is there
        return word or next((self.words[s] for s in _less_and_less(status) if s in self.words), None)

    def is_echo(self, word: str, shown: Status) -> bool:
        """Whether `shown` is what a service shows after `word` was written to it."""
        return shown in self.echoes.get(word, frozenset())

    def is_fade(self, set_to: Status, shown: Status) -> bool:
        """Whether the service makes `shown` of `set_to` by itself."""
        fade = (set_to.availability, shown.availability, shown.idle)
        chosen = shown.activity is not Activity.NONE or shown.ooo != set_to.ooo  # nothing does these by itself
        return fade in self.fades and set_to not in self.steady and not chosen

    def is_faded_echo(self, word: str, shown: Status) -> bool:
        """Whether the service makes `shown` by itself of what `word` set."""
        return any(self.is_fade(status, shown) for status in self.echoes.get(word, frozenset()))

    def shows(self, word: str, shown: Status) -> bool:
        """Whether `shown` is what `word` set, or what the service has made of that by itself."""
        return self.is_echo(word, shown) or self.is_faded_echo(word, shown)

    def beside(self, other: Vocabulary) -> Vocabulary:
        """The same words, with what is known of another door to the same presence: echoes, fades, what is on top."""
        echoes = {**other.echoes, **self.echoes}
        return replace(self, echoes=echoes, fades=self.fades | other.fades, top=self.top | other.top)

    def override(self, mapping: Mapping[str, str]) -> Vocabulary:
        """Replace words: status as text -> word. Raises ValueError for an unknown status or a word nobody can write."""
        changed = {parse_status(status): word for status, word in mapping.items()}
        for status, word in changed.items():
            if word not in self.echoes:
                raise ValueError(f"{word!r} cannot be written for {status}; legal: {', '.join(self.echoes)}")
        return replace(self, words={**self.words, **changed})


def _less_and_less(status: Status) -> Iterator[Status]:
    """Yield the status, then without idle, then without out of office, then without the activity.

    Off work is the exception: without it only "offline" would be left, which means something else.
    """
    yield status
    yield (status := status.awake)
    yield (status := replace(status, ooo=False))
    if status.activity is not Activity.OFF_WORK:
        yield replace(status, activity=Activity.NONE)
