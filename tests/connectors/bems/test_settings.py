"""The BEMS tables of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from presence_syncd.connectors.bems.settings import BemsLinkSettings, BemsSettings
from presence_syncd.core.presence import DND

URL = "wss://bems.contoso.com:8082/connect"
TOKEN = {"command": ["/usr/local/bin/gd-token"]}


def settings(**more: Any) -> BemsSettings:
    return BemsSettings.model_validate({"type": "bems", "url": URL, "token": TOKEN, **more})


def test_the_documented_example_is_enough() -> None:
    read = settings()
    assert (read.transport, read.fallback, read.deadline, read.hold, read.reconnect) == (
        "websocket",
        None,
        30,
        90,
        "true",
    )
    assert read.polled_url == "https://bems.contoso.com:8082/connect"
    assert read.device == settings().device
    assert settings(device_id="mine").device == "mine"
    assert read.vocabulary().word_for(DND) == "busy"


def test_guesses_and_overrides_make_the_vocabulary() -> None:
    read = settings(words={"dnd": "doNotDisturb"}, mapping={"brb": "busy"})
    assert read.vocabulary().word_for(DND) == "doNotDisturb"
    with pytest.raises(ValueError, match="legal"):
        settings(mapping={"brb": "lunch"})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"url": "https://bems.contoso.com/"}, "url does not fit"),
        ({"transport": "long-poll"}, "url does not fit"),
        ({"transport": "poll", "url": "https://x/", "fallback": "poll"}, "fallback is for"),
        ({"lookup_url": "https://bems.contoso.com:8443", "token": None}, "needs token"),
        ({"words": {"busy": "busy"}}, "words"),
        ({"words": {"dnd": "do not"}}, "words"),
        ({"lookup_every": "5m"}, "lookup_every"),
        ({"hold": "0s"}, "hold"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_does_not_fit_is_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**more)


@pytest.mark.parametrize("contact", ["sip:alice@contoso.com", "alice@contoso.com", "SIP:Alice@Contoso.com"])
def test_a_contact_is_a_sip_uri(contact: str) -> None:
    assert BemsLinkSettings.model_validate({"contact": contact}).contact == contact


@pytest.mark.parametrize("contact", ["alice", "sip:", "tel:+49 1", "sip:a@b c"])
def test_anything_else_is_not(contact: str) -> None:
    with pytest.raises(ValueError, match="contact"):
        BemsLinkSettings.model_validate({"contact": contact})
