"""Tokens: one login for all, none in a hurry, and refused secrets are not sent twice."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.flow import Flow, Reply, Request, expect
from presence_syncd.engine.budget import Urgency
from presence_syncd.engine.driver import Driver
from presence_syncd.errors import AuthRejected, Rejected, Unavailable
from tests.engine.desk import Desk, DeskService, Engine, engine, together
from tests.virtual.backends import anyio_backend  # noqa: F401  # a fixture


def _at_desk(running: Engine, service: DeskService | None = None) -> tuple[Driver, DeskService]:
    service = service or DeskService("desk", realm="desk")
    return running.driver(service), service


async def _read(driver: Driver, service: DeskService, name: str = "ann") -> str:
    link = service.link(name, None, {})
    return (await driver.run(link.read(), link, Urgency.CHANGE)).raw


async def test_s01_many_calls_refused_together_log_in_once_and_each_is_repeated_once() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        assert await _read(driver, service) == "Offline"
        desk.revoke()
        before = desk.faults.count("GET", "people")
        assert await together(*[partial(_read, driver, service)] * 30) == ["Offline"] * 30
        assert desk.logins == 2
        assert desk.faults.count("GET", "people") - before <= 60


async def test_the_first_calls_share_one_login() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        assert await together(*[partial(_read, driver, service)] * 30) == ["Offline"] * 30
        assert desk.logins == 1


async def test_how_long_a_token_was_asked_for_is_not_how_long_the_request_lived_that_needs_it() -> None:
    """Who takes a request for one that a proxy has cut after long sends it again at once, while the realm is closed."""
    desk = Desk("secret")
    desk.faults.add(Answer(hang=True, path="login"))
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        for _ in range(2):
            (error,) = await together(partial(_read, driver, service))
            assert isinstance(error, Unavailable)
            assert "no answer within" in str(error)
            assert error.lived is None
        assert desk.logins == 0


async def test_s02_a_fresh_token_that_is_refused_is_not_renewed_in_a_hurry() -> None:
    desk = Desk("secret")
    desk.faults.add(Answer(401, path="people", times=0))
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        for _ in range(300):
            assert isinstance((await together(partial(_read, driver, service)))[0], AuthRejected)
            assert desk.logins <= 2 + anyio.current_time() // 60
            await anyio.sleep(1)


async def test_a_login_service_that_is_away_is_not_taken_for_a_refusal() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        await _read(driver, service)
        desk.revoke()
        desk.faults.add(Answer(503, path="login", times=1))
        results = await together(*[partial(_read, driver, service)] * 10)
        assert {type(result) for result in results} == {Unavailable}
        assert desk.logins + desk.faults.count("POST", "login") == 1 + 2
        await anyio.sleep(2)
        assert await _read(driver, service) == "Offline"


async def test_a_realm_that_cannot_log_in_is_asked_less_and_less() -> None:
    desk = Desk("secret")
    desk.faults.add(Answer(401, path="login", times=0))
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        for _ in range(4 * 3600 // 10):
            await together(partial(_read, driver, service))
            await anyio.sleep(10)
        assert 3 <= desk.faults.count("POST", "login") <= 7


async def test_an_outage_of_the_login_does_not_lengthen_the_first_refusal_after_it() -> None:
    desk = Desk("secret")
    desk.faults.add(Answer(503, path="login", times=6))
    desk.faults.add(Answer(401, path="login", times=1))
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        while desk.faults.count("POST", "login") < 7:
            await together(partial(_read, driver, service))
            await anyio.sleep(1)
        await anyio.sleep(900)  # what the refusal itself asks for
        assert await _read(driver, service) == "Offline"


async def test_secrets_refused_for_good_are_not_sent_again_until_they_change() -> None:
    desk = Desk("changed")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        for _ in range(100):
            result = (await together(partial(_read, driver, service)))[0]
            assert isinstance(result, AuthRejected)
            assert result.retry_after is None
            await anyio.sleep(30)
        assert desk.logins == 1
        assert running.revealed > 50
        running.secrets["DESK_PASSWORD"] = "changed"
        assert await _read(driver, service) == "Offline"
        assert desk.logins == 2


class _TwoSteps(DeskService):
    """Asks the way before it logs in."""

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        expect((yield Request("GET", f"https://{self.name}/people?names=way", "way")), 200, 401)
        return (yield from super().token(realm, refused, wall))


async def test_trouble_on_the_way_does_not_make_a_final_refusal_forgotten() -> None:
    desk = Desk("changed")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running, _TwoSteps("desk", realm="desk"))
        await together(partial(_read, driver, service))
        desk.faults.add(Answer(503, path="people", times=3))
        for _ in range(20):
            await together(partial(_read, driver, service))
            await anyio.sleep(30)
        assert desk.logins == 1


async def test_looking_for_changed_secrets_is_not_done_for_every_call() -> None:
    desk = Desk("other")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        await together(*[partial(_read, driver, service)] * 50)
        assert running.revealed == 1


async def test_graph_25_the_old_token_serves_while_a_new_one_cannot_be_had() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        service.expires_in, service.refresh_in = 3600.0, 1800.0
        await _read(driver, service)
        desk.faults.add(Answer(503, path="login", times=0))
        await anyio.sleep(2000)
        assert await _read(driver, service) == "Offline"
        await anyio.sleep(1700)
        with pytest.raises(Unavailable):
            await _read(driver, service)


async def test_a_token_is_renewed_when_it_is_due_or_over() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        service.expires_in, service.refresh_in = 3600.0, 1800.0
        for _ in range(4):
            await _read(driver, service)
            await anyio.sleep(901)
        assert desk.logins == 2
        service.refresh_in = None
        await anyio.sleep(3601)
        await _read(driver, service)
        await anyio.sleep(3601)
        await _read(driver, service)
        assert desk.logins == 4


class _Nested(DeskService):
    """Its token is got with another one."""

    def token(self, realm: str, refused: Reply | None, wall: float) -> Flow[Token]:
        if realm == "outer":
            expect((yield Request("GET", f"https://{self.name}/people?names=x", "outer", realm="inner")), 200)
        return (yield from super().token(realm, refused, wall))


async def test_a_token_may_need_another_realm() -> None:
    desk = Desk("secret")
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running, _Nested("desk", realm="outer"))
        assert await _read(driver, service) == "Offline"
        assert desk.logins == 2
        driver.tokens.forget("outer")
        driver.tokens.forget("nobody")
        assert await _read(driver, service) == "Offline"
        assert desk.logins == 3


async def test_an_unknown_realm_is_an_error_of_that_call() -> None:
    async with engine({"desk": Desk()}) as running:
        driver = running.driver(service := DeskService("desk"))
        from presence_syncd.connectors.connector import Link, Service

        link = Link(Service("plain"), "ann", None, {})  # type: ignore[arg-type]  # it has no settings
        with pytest.raises(Rejected, match="no token is known"):
            await driver.run(_ask(service), link, Urgency.CHANGE)


def _ask(service: DeskService) -> Flow[Reply]:
    reply: Reply = yield Request("GET", f"https://{service.name}/people/x", "ask", realm="nowhere")
    return reply


async def test_a_cancelled_login_leaves_the_realm_to_the_next() -> None:
    desk = Desk("secret")
    desk.faults.add(Answer(path="login", hang=True))
    async with engine({"desk": desk}) as running:
        driver, service = _at_desk(running)
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(2):
                await _read(driver, service)
            tasks.start_soon(_read, driver, service)
        assert desk.logins == 1
