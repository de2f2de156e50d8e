from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.connectors.symphony.pod import ALICE, APP, BOB, BOT, Pod


class Caller:
    """A client that knows the documents only: it logs in as the bot, or as a user by the app."""

    def __init__(self) -> None:
        self.pod = Pod()
        self.emulator = self.pod.emulator
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.emulator.app), base_url="https://x")

    async def log_in(self, user_id: int | None = None) -> None:
        if user_id is None:
            token = self.emulator.sessions.open("bot", BOT, 1, self.emulator.clock.now())
        else:
            token = self.emulator.sessions.open("user", "somebody", user_id, self.emulator.clock.now())
        self.client.headers["sessionToken"] = token["token"]

    async def read(self, user_id: int = ALICE, query: str = "") -> httpx.Response:
        return await self.client.get(f"/pod/v3/user/{user_id}/presence{query}")

    async def category(self, user_id: int = ALICE) -> str:
        return str((await self.read(user_id)).json()["category"])

    async def write(self, category: Any, user_id: Any = ALICE, soft: str = "false") -> httpx.Response:
        body = {"category": category, "userId": user_id}
        return await self.client.post(f"/pod/v3/user/presence?soft={soft}", json=body)


async def caller(user_id: int | None = None) -> Caller:
    made = Caller()
    await made.log_in(user_id)
    return made


async def test_no_session_no_answer() -> None:
    them = Caller()
    assert (await them.read()).json() == {"code": 401, "message": "Invalid session"}
    them.client.headers["sessionToken"] = "guessed"
    assert (await them.read()).status_code == 401


async def test_the_session_of_an_app_reads_nobody() -> None:
    them = await caller()
    app = them.emulator.sessions.open("app", APP, 0, them.emulator.clock.now())
    assert (await them.client.get("/pod/v2/user/presence", headers={"sessionToken": app["token"]})).status_code == 401


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"token":7}', b'{"token":"a.b.c"}'])
async def test_a_login_that_is_no_login_is_refused(body: bytes) -> None:
    them = Caller()
    assert (await them.client.post("/login/pubkey/authenticate", content=body)).status_code == 401


async def test_a_bot_acts_as_nobody() -> None:
    them = await caller()
    assert (await them.client.post(f"/login/pubkey/app/user/{ALICE}/authenticate")).status_code == 401


async def test_an_app_acts_as_people_it_finds_by_the_right_kind_of_name() -> None:
    them = Caller()
    app = them.emulator.sessions.open("app", APP, 0, them.emulator.clock.now())
    headers = {"sessiontoken": app["token"]}
    statuses = [
        (await them.client.post(f"/login/pubkey/app/{path}/authenticate", headers=headers)).status_code
        for path in (f"user/{ALICE}", "username/bob", "user/bob", f"username/{ALICE}", "user/5")
    ]
    assert statuses == [200, 200, 401, 401, 401]


async def test_soft_leaves_an_offline_person_offline_until_they_come() -> None:
    them = await caller()
    them.emulator.online(ALICE, False)
    assert (await them.write("BUSY", soft="true")).json()["category"] == "OFFLINE"
    them.emulator.online(ALICE, True)
    assert await them.category() == "BUSY"


async def test_soft_shows_an_idle_person_away_until_they_type() -> None:
    them = await caller()
    them.emulator.idle(ALICE, True)
    assert (await them.write("AVAILABLE", soft="true")).json()["category"] == "AWAY"
    them.emulator.idle(ALICE, False)
    assert await them.category() == "AVAILABLE"


async def test_a_write_that_is_not_soft_holds_whoever_is_there() -> None:
    them = await caller()
    them.emulator.online(ALICE, False)
    assert (await them.write("AVAILABLE")).json()["category"] == "AVAILABLE"
    them.emulator.online(ALICE, False)
    assert await them.category() == "OFFLINE"


@pytest.mark.parametrize(
    ("category", "shown"),
    [("AVAILABLE", "AWAY"), ("BUSY", "AWAY"), ("IN_A_MEETING", "IN_A_MEETING"), ("AWAY", "AWAY")],
)
async def test_idle_turns_available_and_busy_to_away_and_back(category: str, shown: str) -> None:
    them = await caller()
    them.emulator.set(ALICE, category)
    them.emulator.idle(ALICE, True)
    assert await them.category() == shown
    them.emulator.idle(ALICE, False)
    assert await them.category() == category


async def test_the_time_is_that_of_the_choice_and_of_the_call_while_offline() -> None:
    them = await caller()
    them.emulator.set(ALICE, "BUSY")
    first = (await them.read()).json()["timestamp"]
    them.emulator.clock.advance(60)
    assert (await them.read()).json()["timestamp"] == first
    them.emulator.online(ALICE, False)
    assert (await them.read()).json()["timestamp"] >= first + 60_000


async def test_a_page_begins_with_the_id_it_is_asked_from() -> None:
    them = await caller()
    for user_id in (10, 20, 30):
        them.emulator.add_user(user_id, str(user_id))
    page = await them.client.get("/pod/v2/users/presence?lastUserId=20&limit=2")
    assert [record["userId"] for record in page.json()] == [20, 30]
    everybody = await them.client.get("/pod/v2/users/presence")
    assert [record["userId"] for record in everybody.json()] == [1, 10, 20, 30, BOB, ALICE]


@pytest.mark.parametrize("query", ["limit=5001", "limit=0", "limit=x", "lastUserId=x"])
async def test_a_page_has_at_most_5000(query: str) -> None:
    them = await caller()
    assert (await them.client.get(f"/pod/v2/users/presence?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("category", "user_id", "soft", "status"),
    [
        ("UNDEFINED", ALICE, "false", 400),
        (None, ALICE, "false", 400),
        ("BUSY", ALICE, "perhaps", 400),
        ("BUSY", str(ALICE), "false", 400),
        ("BUSY", 5, "false", 404),
        ("BUSY", ALICE, "true", 200),
    ],
)
async def test_a_write_must_make_sense(category: Any, user_id: Any, soft: str, status: int) -> None:
    them = await caller()
    assert (await them.write(category, user_id, soft)).status_code == status
    assert len(them.emulator.writes) == (status == 200)


async def test_a_write_without_json_is_refused() -> None:
    them = await caller(ALICE)
    for body in (b"", b"[]", b"{"):
        assert (await them.client.post("/pod/v2/user/presence", content=body)).status_code == 400
    them = await caller()
    assert (await them.client.post("/pod/v3/user/presence", content=b"[]")).status_code == 400


async def test_a_user_writes_their_own_presence_and_nobody_elses() -> None:
    them = await caller(ALICE)
    answer = await them.client.post("/pod/v2/user/presence", json={"category": "BUSY"})
    assert answer.json()["userId"] == ALICE
    assert (await them.client.get("/pod/v2/user/presence")).json()["category"] == "BUSY"
    assert (await them.write("BUSY", BOB)).status_code == 403


async def test_an_unknown_user_is_a_404_that_says_403() -> None:
    them = await caller()
    answer = await them.read(5)
    assert (answer.status_code, answer.json()["code"]) == (404, 403)


async def test_an_external_user_is_seen_by_those_who_registered_and_less_of_them() -> None:
    them = await caller()
    them.emulator.add_user(77, "outsider", external=True)
    them.emulator.set(77, "DO_NOT_DISTURB")
    assert await them.category(77) == "OFFLINE"
    assert (await them.read(77)).status_code == 429
    assert (await them.client.post("/pod/v1/user/presence/register", json=[77])).json()["message"] == "OK"
    them.emulator.clock.advance(300)
    assert await them.category(77) == "AWAY"
    them.emulator.clock.advance(300)
    assert (await them.read(77, "?local=true")).json()["category"] == "OFFLINE"
    assert (await them.write("BUSY", 77)).status_code == 403
    assert 77 not in [r["userId"] for r in (await them.client.get("/pod/v2/users/presence")).json()]


@pytest.mark.parametrize(("body", "status"), [({}, 400), (["77"], 400), ([5], 404)])
async def test_an_interest_names_users(body: Any, status: int) -> None:
    them = await caller()
    assert (await them.client.post("/pod/v1/user/presence/register", json=body)).status_code == status


async def test_a_person_steers_people_over_http() -> None:
    them = Caller()
    url = f"/_emulator/people/{ALICE}"
    assert (await them.client.post(url, json={"category": "BUSY"})).json()["shown"] == "BUSY"
    assert (await them.client.post(url, json={"idle": True})).json()["shown"] == "AWAY"
    assert (await them.client.post(url, json={"online": False})).json()["shown"] == "OFFLINE"
    people = {person["id"]: person for person in (await them.client.get("/_emulator/people")).json()}
    assert (people[ALICE]["category"], people[BOB]["shown"]) == ("BUSY", "AVAILABLE")


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [("5", {"category": "BUSY"}, 404), (ALICE, {"category": "Busy"}, 400), (ALICE, {"nonsense": 1}, 400)],
)
async def test_steering_says_what_is_legal(path: Any, order: Any, status: int) -> None:
    answer = await Caller().client.post(f"/_emulator/people/{path}", json=order)
    assert answer.status_code == status


async def test_every_session_can_be_ended_over_http() -> None:
    them = await caller()
    assert (await them.client.delete("/_emulator/sessions")).json() == {"revoked": 1}
    assert (await them.read()).status_code == 401


async def test_a_limit_counts_per_session_and_passes() -> None:
    them = await caller()
    them.emulator.limit = (2, 10.0)
    them.emulator.retry_after = "7"
    assert [(await them.read()).status_code for _ in range(3)] == [200, 200, 429]
    assert (await them.read()).headers["retry-after"] == "7"
    await them.log_in()
    assert (await them.read()).status_code == 200
    them.emulator.clock.advance(10)
    assert (await them.read()).status_code == 200
