"""The tables of the configuration: what they refuse, and what they say then."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from presence_syncd.connectors.ucwa import CONNECTOR
from presence_syncd.connectors.ucwa.protocol.link import UcwaLink
from presence_syncd.connectors.ucwa.settings import Grant, Settings, UcwaLinkSettings

LINK: dict[str, Any] = {"sip": "alice@contoso.com", "password": {"credential": "alice"}}


def test_an_address_gets_its_scheme_and_names_the_user_and_the_domain() -> None:
    link = UcwaLinkSettings(**LINK)
    assert (link.sip, link.sign_in_name, link.domain) == ("sip:alice@contoso.com", "alice@contoso.com", "contoso.com")
    assert UcwaLinkSettings(**{**LINK, "sip": "SIP:a@b.example", "user": "B\\a"}).sign_in_name == "B\\a"


@pytest.mark.parametrize("sip", ["alice", "sip:alice", '"sip : a@b"', "sip:a@b;gruu", "tel:+1", "a@b@c"])
def test_what_is_no_address_is_refused(sip: str) -> None:
    with pytest.raises(ValidationError, match="sip:alice@contoso"):
        UcwaLinkSettings(**{**LINK, "sip": sip})


def test_a_lurker_must_be_a_link_that_only_reads() -> None:
    with pytest.raises(ValidationError, match='direction = "read"'):
        UcwaLinkSettings(**LINK, presence_source="lurker")
    UcwaLinkSettings(**LINK, presence_source="lurker", direction="read")


WRONG: list[dict[str, Any]] = [
    {"culture": ""},
    {"user_agent": "x" * 101},
    {"modalities": ["Video"]},
    {"grants": []},
    {"grants": ["passive"]},
    {"discovery": "http://contoso.com"},
    {"verify": False},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_service_would_refuse_is_refused_before(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_nothing_is_advertised_and_passwords_come_first_by_default() -> None:
    settings = Settings()
    assert settings.modalities == ()
    assert settings.wire_grants == (Grant.PASSWORD, Grant.WINDOWS)
    assert Settings(grants=["windows"]).wire_grants == (Grant.WINDOWS,)


def test_the_connector_shares_its_domain_and_makes_links() -> None:
    assert (CONNECTOR.kind, CONNECTOR.domain) == ("ucwa", "sfb")
    service = CONNECTOR.service("skype", Settings())
    assert service.traits.pushes
    assert service.traits.notes
    assert service.traits.wakes, "makeMeAvailable shows who rests as active (§5)"
    link = service.link("alice", UcwaLinkSettings(**LINK), {"endpoint_id": "e"})
    assert isinstance(link, UcwaLink)
    assert link.key == "sip:alice@contoso.com"
    assert link.membership.identity.endpoint_id == "e"
