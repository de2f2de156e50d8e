"""`check --online` only looks, ends in time, and names the place of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from presence_syncd import online
from presence_syncd.connectors.fields import SecretRef
from presence_syncd.connectors.flow import Flow, Now, Request, Reveal, Send
from presence_syncd.errors import Unavailable
from tests.config.texts import ALICE, CANARY, TEAMS, good

Answering = Callable[[httpx.Request], Any]
PRESENCE = {"id": "fa8bf3dc-eca7-46b7-bad1-db199b62afc3", "availability": "Busy", "activity": "Busy"}
TOKEN = {"access_token": CANARY, "token_type": "Bearer", "expires_in": 3600}


def reply(data: dict[str, Any]) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(json.dumps(data).encode()))


def carriers(answering: Answering) -> Any:
    return lambda settings: lambda limits: httpx.MockTransport(answering)


async def looked(
    folder: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch, patience: float = 5.0
) -> online.Looked:
    """What comes of the configuration's one service."""
    monkeypatch.setenv("GRAPH_SECRET", CANARY)
    alice = ALICE.replace("links.symphony = { user_id = 1 }\n", "")
    (one,) = await online.look(good(folder, TEAMS + alice), carriers(answering), patience)
    assert CANARY not in str(one)
    return one


async def test_says_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return reply(TOKEN if request.url.host.startswith("login") else PRESENCE)

    one = await looked(tmp_path, answer, monkeypatch)
    assert (one.problem, one.said) == (None, "signed in, and alice shows busy")
    assert str(one).startswith("ok: teams: signed in, and alice shows busy (")
    assert asked == ["POST", "GET"]


async def test_gives_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    one = await looked(tmp_path, never, monkeypatch, patience=0.1)
    place = f"{tmp_path}/p.toml:1:1: services.teams: no answer within 0.1 s, reading alice"
    assert str(one).startswith(place)


async def test_says_that_a_service_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    one = await looked(tmp_path, refuse, monkeypatch)
    assert "cannot read alice: no connection (look at the address" in str(one)


async def test_says_which_secret_is_missing(tmp_path: Path) -> None:
    config = good(
        tmp_path,
        TEAMS.replace("GRAPH_SECRET", "NO_SUCH_SECRET") + ALICE.replace("links.symphony = { user_id = 1 }\n", ""),
    )
    (one,) = await online.look(config, carriers(lambda _: reply(PRESENCE)))
    assert "services.teams: cannot sign in: env NO_SUCH_SECRET: the variable is not set" in str(one)


async def test_says_that_there_is_nobody_to_read(tmp_path: Path) -> None:
    (one,) = await online.look(good(tmp_path, TEAMS), carriers(lambda _: reply(PRESENCE)))
    assert "services.teams: cannot be tried: no account is read there" in str(one)


def test_stops_before_what_could_change_something() -> None:
    for last in (Request("POST", "https://x", "make"), Send("begin")):

        def flow(last: Any = last) -> Flow[None]:
            yield Request("GET", "https://x", "look")
            yield last
            raise AssertionError("it went on")

        looking = online._only_looking(flow())
        assert next(looking) == Request("GET", "https://x", "look")
        with pytest.raises(StopIteration) as end:
            looking.send(None)
        assert end.value.value is last


def test_hands_answers_and_failures_on() -> None:
    def flow() -> Flow[str]:
        seen: str = yield Now()
        try:
            yield Reveal(SecretRef(env="X"))
        except Unavailable as error:
            return f"{seen} {error}"
        return ""

    looking = online._only_looking(flow())
    next(looking)
    looking.send("now")
    with pytest.raises(StopIteration) as end:
        looking.throw(Unavailable("down"))
    assert end.value.value == "now down"
