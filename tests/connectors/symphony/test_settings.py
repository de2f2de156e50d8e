from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from presence_syncd.connectors.symphony import CONNECTOR
from presence_syncd.connectors.symphony.settings import SOFT_WORDS, SymphonyLinkSettings
from presence_syncd.core.presence import DND
from tests.connectors.symphony.pod import obo_settings, settings


def test_three_keys_are_enough() -> None:
    table = settings()
    assert (table.presence, table.login) == ("https://pod.example/pod", "https://pod.example/login")
    assert not table.is_obo


def test_every_component_may_be_elsewhere() -> None:
    table = settings(pod_url="https://a.example:8443/x/pod", login_url="https://b.example/session/login")
    assert table.presence == "https://a.example:8443/x/pod"
    assert table.login == "https://b.example/session/login"


def test_an_app_means_acting_as_each_user() -> None:
    assert obo_settings().is_obo
    assert obo_settings(mode="obo").is_obo


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bot": None}, "exactly one login"),
        ({"app": "x"}, "exactly one login"),
        ({"mode": "obo"}, 'mode = "obo" needs app'),
        ({"bot": None, "app": "x", "mode": "admin"}, 'mode = "admin" needs bot'),
        ({"sweep": "50ms"}, "greater than or equal to 0.1"),
        ({"mapping": {"dnd": "DO_NOT_DISTURB"}}, "cannot be written for dnd"),
        ({"mapping": {"dnd": "nonsense"}}, "legal: AVAILABLE"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----"}, "a secret is not written here"),
        ({"pod": "http://pod.example"}, "to this machine only"),
    ],
)
def test_refuses_what_cannot_work_and_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_overrides_are_part_of_the_words() -> None:
    table = settings(dnd_as="DO_NOT_DISTURB", mapping={"dnd": "IN_A_MEETING"})
    assert table.vocabulary().word_for(DND) == "IN_A_MEETING"


def test_a_set_pace_holds_for_both_ways_of_reading() -> None:
    assert (settings().read_every(listed=False), settings().read_every(listed=True)) == (15.0, 60.0)
    table = settings(sweep="0.5s")
    assert (table.read_every(listed=False), table.read_every(listed=True)) == (0.5, 0.5)


def test_users_are_read_alone_as_long_as_half_the_rate_is_enough() -> None:
    assert settings().read_alone == 50
    assert settings(sweep="2s").read_alone == 10
    assert settings(sweep="2s", rate=40).read_alone == 40
    assert settings(sweep="2s", list_above=7).read_alone == 7


def test_a_user_is_named_in_one_way() -> None:
    assert SymphonyLinkSettings(user_id=2**63 - 1).user_id == 2**63 - 1
    assert SymphonyLinkSettings(username="alice").username == "alice"
    for table in ({}, {"user_id": 1, "username": "alice"}):
        with pytest.raises(ValidationError, match="exactly one of user_id, username"):
            SymphonyLinkSettings.model_validate(table)


@pytest.mark.parametrize("table", [{"user_id": 1}, {"username": "alice", "direction": "read"}])
def test_an_external_user_is_read_only_and_by_id(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match='needs user_id and direction = "read"'):
        SymphonyLinkSettings.model_validate({**table, "external": True})


def test_the_registry_finds_the_kind() -> None:
    assert (CONNECTOR.kind, CONNECTOR.domain) == ("symphony", None)


@pytest.mark.parametrize(("soft", "unheld"), [("auto", True), ("always", True), ("never", False)])
def test_what_is_written_softly_fades_when_the_person_rests(soft: str, *, unheld: bool) -> None:
    assert settings(soft=soft).vocabulary().unheld == (SOFT_WORDS if unheld else frozenset())
