"""The tables of Graph in the configuration: what is refused, with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from presence_syncd.connectors.graph.settings import GraphLinkSettings, GraphSettings
from tests.connectors.graph.bench import USER, settings, table

PAIR = {"certificate": "/etc/graph.pem", "private_key": {"credential": "key"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"client_secret": None}, "exactly one of"),
        ({"certificate": PAIR}, "exactly one of"),
        ({"client_secret": "hunter2"}, "a secret is not written here"),
        ({"client_id": "daemon"}, "legal is a GUID"),
        ({"tenant": "common"}, "one tenant"),
        ({"tenant": "a/b"}, "pattern"),
        ({"cloud": "china"}, "no presence in this cloud; legal: global"),
        ({"expiration": "4m"}, "5m.* to .*4h"),
        ({"expiration": "241m"}, "5m.* to .*4h"),
        ({"fade": "6m"}, "1s.* to .*5m"),
        ({"fade": "100ms"}, "1s.* to .*5m"),
        ({"sweep": "50ms"}, "100ms"),
        ({"refresh": "280s"}, "under 270s"),
        ({"refresh": "0s"}, "under 270s"),
        ({"fade": "10s", "refresh": "9s"}, "under 9s"),
        ({"api": "beta", "preferred": True}, "preferred = true needs"),
        ({"api": "beta", "cloud": "us-gov-l4"}, '"global" only'),
        ({"hold_available": False}, "needs preferred = true"),
        ({"mapping": {"busy": "Busy/Busy"}}, "cannot be written"),
        ({"api": "beta", "mapping": {"dnd": "DoNotDisturb/Presenting"}}, "cannot be written"),
        ({"graph_url": "http://graph.example.com"}, "https"),
        ({"color": "red"}, "Extra inputs"),
    ],
)
def test_refuses_what_cannot_work(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        settings(**changes)
    assert "hunter2" not in str(refused.value.errors(include_input=False))


@pytest.mark.parametrize(
    ("cloud", "login", "graph"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("us-gov-l4", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("us-gov-l5", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    ],
)
def test_knows_the_addresses_of_each_cloud(cloud: str, login: str, graph: str) -> None:
    found = settings(cloud=cloud, login_url=None, graph_url=None)
    assert (found.login_root, found.graph_root, found.scope) == (login, f"{graph}/v1.0", f"{graph}/.default")


def test_other_addresses_leave_the_scope_as_it_is() -> None:
    found = settings(graph_url="https://proxy.example.com/graph/", api="beta")
    assert found.graph_root == "https://proxy.example.com/graph/beta"
    assert found.scope == "https://graph.microsoft.com/.default"


def test_a_certificate_is_named_by_its_path_or_as_a_secret() -> None:
    by_path = settings(client_secret=None, certificate=PAIR).certificate
    by_ref = settings(client_secret=None, certificate={**PAIR, "certificate": {"credential": "cert"}}).certificate
    assert by_path is not None
    assert by_path.certificate.file == Path("/etc/graph.pem")
    assert by_ref is not None
    assert by_ref.certificate.credential == "cert"


def test_the_defaults_refresh_an_available_session_every_220_seconds() -> None:
    assert (settings().refresh_available, settings().lifetime_available) == (220.0, 300.0)
    assert settings(refresh="200s").refresh_available == 200.0
    assert settings(fade="30s").refresh_available == 22.0


def test_there_is_a_json_schema() -> None:
    assert {"tenant", "certificate", "fade"} <= GraphSettings.model_json_schema()["properties"].keys()


def test_a_person_is_named_by_object_id() -> None:
    assert GraphLinkSettings(user=USER.upper()).user == USER
    with pytest.raises(ValidationError, match="object id"):
        GraphLinkSettings(user="alice@contoso.com")
    with pytest.raises(ValidationError, match="legal is a GUID"):
        GraphLinkSettings(user="alice")
    assert "client_id" in table()
