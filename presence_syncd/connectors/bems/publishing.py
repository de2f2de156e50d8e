"""Writing a presence: SetPresence until it is done, by what each failure means.

The one rule: nothing is applied twice. After an answer that did not come, what is shown is read before anything is sent
again; what was refused is not sent again as it is. SetPersonalMessage is not used: a note is written with its presence,
and SetPresence takes both at once. Nor are SetOAuth2Token and SetGDToken: a token that expired is seen by an error that
ends the session, and BeginSession brings the new one. Sources: bems.md §5, cases B01-B04, B08, B13, B15, B23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from presence_syncd.connectors.bems.conversation import Conversation
from presence_syncd.connectors.bems.jsonrpc import Call, Cause, Failure
from presence_syncd.connectors.bems.session import ENDS_SESSION, error_of
from presence_syncd.connectors.bems.wire import presence_name, substitute_for
from presence_syncd.connectors.flow import Flow, Now, SetOut, Wait
from presence_syncd.core.vocabulary import Vocabulary
from presence_syncd.errors import ServiceError, Unavailable

METHOD = "SetPresence"
MOST_TRIES = 3
"""How often a presence is sent again when there is trouble behind the server."""
FIRST_PAUSE = 1.0
"""Seconds before it is sent again the first time; doubled each time."""


class Writer:
    """Writes one word for one link. `refused` is shared by the service: words its server does not take."""

    def __init__(
        self, talk: Conversation, vocabulary: Vocabulary, guesses: Mapping[str, str], refused: set[str]
    ) -> None:
        self._talk, self._vocabulary, self._guesses, self._refused = talk, vocabulary, guesses, refused
        self._tries: dict[Cause, int] = {}

    def sayable(self, word: str) -> str:
        """The word, or what stands for it since the server refused it."""
        return (substitute_for(word, self._guesses) or word) if word in self._refused else word

    def write(self, word: str, note: str | None, *, look_first: bool) -> Flow[str]:
        """Write until it is done; returns the word that was written. Raises Unavailable, Overtaken and Rejected."""
        self._tries = {}
        word = self.sayable(word)
        yield from self._talk.ready()
        yield SetOut()  # the session may have been long in coming, and the person have changed meanwhile
        if look_first and (yield from self._is_shown(word, note)):
            return word
        while True:
            failure = yield from self._send(word, note)
            if failure is None:
                return word
            if failure.cause is Cause.LOST:
                self._allow(failure, 1)
                yield from self._talk.ready()
                if (yield from self._is_shown(word, note)):
                    return word
            else:
                word = yield from self._after(failure, word)

    def _send(self, word: str, note: str | None) -> Flow[Failure | None]:
        params = {"presence": word} if note is None else {"presence": word, "personalMessage": note}
        call: Call = yield from self._talk.call(METHOD, params)
        if call.failure is None:
            self._talk.session.shown = presence_name(word, self._guesses)
        return call.failure

    def _is_shown(self, word: str, note: str | None) -> Flow[bool]:
        """Read, and tell whether what is shown is what was asked for."""
        asked_at = yield Now()
        yield from self._talk.look()
        seen = self._talk.session.last
        if seen is None or seen.at < asked_at or not self._vocabulary.is_echo(word, seen.status):
            return False
        return note is None or seen.note is None or seen.note == note

    def _after(self, failure: Failure, word: str) -> Flow[str]:
        """Do what a failure asks for, and return the word to send next. Raises where nothing helps."""
        steps: dict[Cause, Callable[[Failure], Flow[None]]] = {
            Cause.SERVER: self._pause,
            Cause.PROXY: self._pause,
            Cause.PENDING: self._wait_for_the_other,
        }
        if failure.cause is Cause.VALUE:
            return self._substitute(failure, word)
        if failure.cause in ENDS_SESSION:
            self._allow(failure, 1)
            yield from self._talk.ready()
        elif failure.cause in steps:
            yield from steps[failure.cause](failure)
        else:
            raise error_of(METHOD, failure)
        return word

    def _substitute(self, failure: Failure, word: str) -> str:
        instead = substitute_for(word, self._guesses)
        if instead is None:
            raise error_of(METHOD, failure)
        self._refused.add(word)
        return instead

    def _pause(self, failure: Failure) -> Flow[None]:
        """Wait, longer each time, in which a wake-up for something else shortens nothing."""
        until = (yield Now()) + FIRST_PAUSE * 2 ** self._allow(failure, MOST_TRIES)
        while (now := (yield Now())) < until:
            yield Wait(until - now)

    def _wait_for_the_other(self, failure: Failure) -> Flow[None]:
        """Let the request that is being done finish; this one is newer, and goes after it (B23)."""
        self._allow(failure, MOST_TRIES)
        other = self._talk.session.calls.pending(METHOD)
        until = (yield Now()) + (FIRST_PAUSE if other is None else self._talk.settings.deadline)
        while not (other is not None and other.is_done) and (now := (yield Now())) < until:
            yield Wait(until - now)

    def _allow(self, failure: Failure, most: int) -> int:
        """Count a failure of a kind; raise it when there were enough. Returns how many came before."""
        before = self._tries.get(failure.cause, 0)
        if before >= most:
            error = error_of(METHOD, failure)
            raise error if not _is_over(error) else Unavailable(str(error))
        self._tries[failure.cause] = before + 1
        return before


def _is_over(error: ServiceError) -> bool:
    """Whether an error speaks of the session: that is for the flow that follows, a write is only late."""
    return type(error).__name__ in {"SessionExpired", "TokenRefused"}
