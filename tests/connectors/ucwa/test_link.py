"""The link at work against the emulated deployment: both directions, and what heals."""

from __future__ import annotations

import anyio

from tests.connectors.ucwa.bench import SIP, started


async def test_a_change_in_a_client_is_seen_and_a_published_word_is_shown() -> None:
    async with started() as b:
        print(b.states, b.errors, b.observed)
        for s in b.recorder.seen:
            print(s)
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(6)
        assert b.last == "Busy"
        await b.publish("DoNotDisturb")
        await anyio.sleep(10)
        assert b.emulator.shown(SIP) == "DoNotDisturb"
        assert b.last == "DoNotDisturb"
