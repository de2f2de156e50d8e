"""The emulated tenant by itself: rank, both clocks of both contracts, and how it is steered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from presence_syncd.connectors.graph.emulator import CLIENT_ID, CLIENT_SECRET, TENANT, GraphEmulator
from tests.connectors.graph.bench import OTHER, ROOT, USER

JSON = {"content-type": "application/json"}


class Plain:
    """A client of the emulator that is not ours."""

    def __init__(self, **options: Any) -> None:
        self.emulator = GraphEmulator(**options)
        self.emulator.add_user(USER)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.emulator.app), base_url=ROOT)

    async def token(self, **form: str) -> httpx.Response:
        """Ask for a token."""
        base = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": "https://graph.microsoft.com/.default",
            "grant_type": "client_credentials",
        }
        return await self.http.post(f"/{TENANT}/oauth2/v2.0/token", data={**base, **form})

    async def sign_in(self) -> None:
        """Use a token from here on."""
        self.http.headers["Authorization"] = f"Bearer {(await self.token()).json()['access_token']}"

    async def act(self, action: str, version: str = "v1.0", **body: Any) -> int:
        """Write; the status."""
        return (await self.http.post(f"/{version}/users/{USER}/presence/{action}", json=body)).status_code

    async def session(self, word: str, version: str = "v1.0", **more: Any) -> int:
        """Set our session; the status."""
        availability, _, activity = word.partition("/")
        pair = {"sessionId": CLIENT_ID, "availability": availability, "activity": activity}
        return await self.act("setPresence", version, **pair, **more)


async def signed_in(**options: Any) -> Plain:
    plain = Plain(**options)
    await plain.sign_in()
    return plain


@pytest.mark.parametrize(
    ("ours", "teams", "shown"),
    [
        ("DoNotDisturb/Presenting", "Busy/InACall", "DoNotDisturb/Presenting"),
        ("Busy/InACall", "DoNotDisturb/DoNotDisturb", "DoNotDisturb/DoNotDisturb"),
        ("Busy/InACall", "Available/Available", "Busy/InACall"),
        ("Available/Available", "Away/Away", "Available/Available"),
        ("Away/Away", "BeRightBack/BeRightBack", "BeRightBack/BeRightBack"),
    ],
)
async def test_the_session_of_the_highest_rank_shows(ours: str, teams: str, shown: str) -> None:
    plain = await signed_in()
    assert await plain.session(ours) == 200
    plain.emulator.teams(USER, *teams.split("/"))
    assert "/".join(plain.emulator.shown(USER)) == shown


async def test_an_active_session_shows_before_a_faded_one() -> None:
    plain = await signed_in()
    plain.emulator.teams(USER, "Available")
    await plain.session("Available/Available", expirationDuration="PT1H")
    plain.emulator.clock.advance(400)
    assert plain.emulator.shown(USER) == ("Available", "Available")


async def test_in_beta_every_state_fades_and_the_third_time_out_ends_the_session() -> None:
    plain = await signed_in(fade=10.0)
    for word, first in (("Available/Available", "AvailableInactive"), ("Busy/InACall", "BusyInactive")):
        assert await plain.session(word, "beta") == 200
        shown = []
        for _ in range(3):
            plain.emulator.clock.advance(10)
            shown.append("/".join(plain.emulator.shown(USER)))
        assert shown == [f"{word.partition('/')[0]}/{first}", "Away/Away", "Offline/Offline"]
    assert plain.emulator.lapsed == 2
    assert await plain.session("DoNotDisturb/Presenting", "beta") == 400
    assert await plain.session("Away/Away", "beta", expirationDuration="PT5M") == 400


async def test_a_lapsed_session_is_counted_once_whoever_ends_it() -> None:
    plain = await signed_in()
    await plain.session("Available/Available")
    plain.emulator.clock.advance(301)
    assert plain.emulator.lapsed == 1
    assert await plain.act("clearPresence", sessionId=CLIENT_ID) == 404
    assert plain.emulator.lapsed == 1
    await plain.session("Away/Away")
    assert await plain.act("clearPresence", sessionId=CLIENT_ID) == 200
    assert plain.emulator.lapsed == 1


async def test_a_preferred_state_ends_by_itself() -> None:
    plain = Plain()
    plain.emulator.login.lifetime = 30 * 86_400.0
    await plain.sign_in()
    plain.emulator.teams(USER, "Away")
    for availability, days in (("Busy", 1), ("BeRightBack", 7)):
        body = {"availability": availability, "activity": availability}
        assert await plain.act("setUserPreferredPresence", **body) == 200
        plain.emulator.clock.advance(days * 86_400 - 1)
        assert plain.emulator.shown(USER)[0] == availability
        plain.emulator.clock.advance(2)
        assert plain.emulator.shown(USER)[0] == "Away"
    body = {"availability": "Busy", "activity": "Busy"}
    assert await plain.act("setUserPreferredPresence", **body, expirationDuration="P1DT1H1M1.5S") == 200
    assert await plain.act("setUserPreferredPresence", **body, expirationDuration="soon") == 400
    assert await plain.act("setUserPreferredPresence", availability="Busy", activity="InACall") == 400
    assert await plain.act("clearUserPreferredPresence") == 200
    assert plain.emulator.shown(USER)[0] == "Away"


async def test_durations_can_be_scaled_for_a_demonstration() -> None:
    plain = await signed_in(expiry_scale=0.01)
    await plain.session("Away/Away", expirationDuration="PT5M")
    plain.emulator.clock.advance(3.1)
    assert plain.emulator.shown(USER) == ("Offline", "Offline")


async def test_the_calendar_lies_over_available() -> None:
    plain = await signed_in()
    plain.emulator.teams(USER, "Available")
    changes = {"meeting": True, "out_of_office": True, "message": "hello"}
    told = (await plain.http.post(f"/_emulator/people/{USER}", json=changes)).json()
    assert (told["availability"], told["activity"]) == ("Busy", "InAMeeting")
    assert told["outOfOfficeSettings"]["isOutOfOffice"] is True
    assert told["statusMessage"]["message"]["content"] == "hello"


async def test_people_are_steered_over_http() -> None:
    plain = await signed_in()
    told = await plain.http.post(f"/_emulator/people/{OTHER}", json={"availability": "Busy", "activity": "InACall"})
    assert told.json()["activity"] == "InACall"
    await plain.http.post(f"/_emulator/people/{OTHER}", json={"preferred": "Offline"})
    await plain.session("Away/Away")
    found = (await plain.http.get("/_emulator/people")).json()
    assert found == {"people": {USER: "Away/Away", OTHER: "Offline/OffWork"}, "lapsed": 0}
    await plain.http.post(f"/_emulator/people/{OTHER}", json={"preferred": None, "availability": "Offline"})
    assert plain.emulator.shown(OTHER) == ("Offline", "Offline")
    writes = (await plain.http.get("/_emulator/writes")).json()["writes"]
    assert [(write["user"], write["action"], write["value"]) for write in writes] == [
        (USER, "setPresence", "Away/Away")
    ]


async def test_switches_and_faults_and_the_clock_are_reached_over_http() -> None:
    plain = await signed_in()
    switched = await plain.http.post("/_emulator/switches", json={"no_content": True, "people": {}, "fade": 7})
    assert (switched.json()["no_content"], switched.json()["fade"]) == (True, 7)
    assert await plain.session("Away/Away") == 204
    await plain.http.post("/_emulator/faults", json={"status": 500})
    assert await plain.session("Away/Away") == 500
    assert (await plain.http.post("/_emulator/clock", json={"advance": 5})).status_code == 200


async def test_reads_in_all_ways() -> None:
    plain = await signed_in()
    single = (await plain.http.get(f"/beta/communications/presences/{USER.upper()}")).json()
    assert single["id"] == USER
    plain.emulator.calls.wrapped = True
    assert (await plain.http.get(f"/v1.0/users/{USER}/presence")).json()["value"][0]["id"] == USER
    wrong: list[dict[str, Any]] = [{"ids": []}, {"ids": "x"}, {}]
    for body in wrong:
        assert (await plain.http.post("/v1.0/communications/getPresencesByUserId", json=body)).status_code == 400


async def test_refuses_what_the_documents_do_not_have() -> None:
    plain = await signed_in()
    assert (await plain.http.get(f"/v1.0/users/{OTHER}/presence")).status_code == 404
    assert (await plain.http.get("/v1.0/me/drive")).status_code == 404
    assert (await plain.http.get(f"/v1.0/users/{USER}/presence/setPresence")).status_code == 405
    assert await plain.act("setMood") == 405
    assert (await plain.http.post(f"/v1.0/users/{USER}/presence/setPresence", content=b"{}")).status_code == 415
    url = f"/v1.0/users/{USER}/presence/setPresence"
    assert (await plain.http.post(url, content=b"{", headers=JSON)).status_code == 400
    assert (await plain.http.post(url, content=b"[]", headers=JSON)).status_code == 400
    for message in (
        None,
        {},
        {"message": {"content": "x", "contentType": "html"}},
        {"message": {"contentType": "text"}},
    ):
        assert await plain.act("setStatusMessage", statusMessage=message) == 400


async def test_a_part_with_a_body_needs_its_content_type() -> None:
    plain = await signed_in()
    part = {"id": "a", "method": "POST", "url": f"users/{USER}/presence/clearUserPreferredPresence", "body": {}}
    found = (await plain.http.post("/v1.0/$batch", json={"requests": [part]})).json()["responses"]
    assert [(each["id"], each["status"]) for each in found] == [("a", 400)]
    assert (await Plain().http.post("/v1.0/$batch", json={"requests": [part]})).status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": OTHER}, 400, "unauthorized_client"),
        ({"scope": "User.Read"}, 400, "invalid_scope"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"claims": "{"}, 400, "invalid_request"),
        ({"client_assertion": "x"}, 400, "invalid_request"),
        (
            {
                "client_assertion": "x",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            },
            401,
            "invalid_client",
        ),
    ],
)
async def test_believes_only_what_is_proven(form: dict[str, str], status: int, error: str) -> None:
    reply = await Plain().token(**form)
    assert (reply.status_code, reply.json()["error"]) == (status, error)
    assert reply.json()["error_description"].startswith("AADSTS")


async def test_signs_in_only_to_its_own_tenant_and_takes_a_federated_token() -> None:
    plain = Plain()
    assert (await plain.http.post("/fabrikam.com/oauth2/v2.0/token", data={})).json()["error"] == "invalid_request"
    plain.emulator.login.federated = "foreign"
    plain.emulator.login.refresh_in = 1800.0
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    reply = await plain.token(client_assertion="foreign", client_assertion_type=kind, claims="7")
    assert reply.json()["refresh_in"] == 1800


async def test_an_expired_or_revoked_token_is_refused_without_a_challenge_to_who_would_not_understand() -> None:
    plain = await signed_in()
    plain.emulator.login.revoke()
    reply = await plain.http.get(f"/v1.0/users/{USER}/presence")
    assert reply.status_code == 401
    assert "insufficient_claims" not in str(reply.headers)
    fresh = await signed_in()
    fresh.emulator.clock.advance(3600)
    assert (await fresh.http.get(f"/v1.0/users/{USER}/presence")).status_code == 401
