"""A pod to test against: the emulator, a service configured for it, and the tiny engine that joins them."""

from __future__ import annotations

from functools import cache
from typing import Any

from presence_syncd.connectors.flow import Reply, json_body
from presence_syncd.connectors.symphony.emulated_login import key_pair
from presence_syncd.connectors.symphony.emulator import SymphonyEmulator
from presence_syncd.connectors.symphony.protocol import SymphonyLink, SymphonyService
from presence_syncd.connectors.symphony.settings import SymphonyLinkSettings, SymphonySettings
from tests.connectors.driver import Driver

BOT, APP = "presence-bot", "presence-app"
ALICE, BOB = 14568529068038, 974217539631
"""Two ids as large as real ones are."""


@cache
def keys() -> tuple[str, str]:
    """One key pair for all tests: making one takes a while."""
    return key_pair()


def settings(**changes: Any) -> SymphonySettings:
    """Settings of a service account, with changes."""
    table = {"type": "symphony", "pod": "https://pod.example", "bot": BOT, "private_key": {"env": "KEY"}}
    return SymphonySettings.model_validate({k: v for k, v in {**table, **changes}.items() if v is not None})


def obo_settings(**changes: Any) -> SymphonySettings:
    """Settings of an app that acts as each user."""
    return settings(bot=None, app=APP, **changes)


def service(**changes: Any) -> SymphonyService:
    """A service in admin mode."""
    return SymphonyService("symphony", settings(**changes))


def link(owner: SymphonyService, **table: Any) -> SymphonyLink:
    """One person's link; ALICE's unless the table names somebody."""
    chosen = table if "user_id" in table or "username" in table else {"user_id": ALICE, **table}
    made = owner.link("alice", SymphonyLinkSettings.model_validate(chosen), {})
    assert isinstance(made, SymphonyLink)
    return made


def presence(category: Any, user_id: int = ALICE, timestamp: int = 1_800_000_000_000, status: int = 200) -> Reply:
    """A `V2Presence` as an answer, that left at 10 s and was whole at 11 s."""
    return reply({"category": category, "userId": user_id, "timestamp": timestamp}, status)


def reply(value: object, status: int = 200, **headers: str) -> Reply:
    """Any JSON as an answer."""
    return Reply(status, tuple(headers.items()), json_body(value), at=11.0, started_at=10.0)


class Pod:
    """An emulated pod with ALICE and BOB, and a service that may log in to it."""

    def __init__(self, **changes: Any) -> None:
        self.emulator = SymphonyEmulator()
        self.emulator.add_bot(BOT, keys()[1])
        self.emulator.add_app(APP, keys()[1])
        self.emulator.add_user(ALICE, "alice")
        self.emulator.add_user(BOB, "bob")
        self.service = SymphonyService("symphony", settings(**changes))
        self.driver = self.driver_of(self.service)

    def driver_of(self, owner: SymphonyService) -> Driver:
        """A fresh engine, with no tokens."""
        emulator = self.emulator
        return Driver(emulator.app, owner, clock=emulator.clock, secrets={"env KEY": keys()[0]})

    def links(self, *user_ids: int) -> list[SymphonyLink]:
        """The links of some users; ALICE's and BOB's unless named."""
        return [link(self.service, user_id=user_id) for user_id in user_ids or (ALICE, BOB)]

    async def sweep(self, *user_ids: int) -> dict[str, str]:
        """What one sweep shows, in the service's words."""
        seen = await self.driver.run(self.service.sweep(self.links(*user_ids)))
        return {key: observation.raw for key, observation in seen.items()}
