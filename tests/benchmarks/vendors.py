"""The vendors' own libraries as yardsticks, where they are installed: `pip install msgraph-sdk symphony-bdk-python`.

The one rule: they are set up as their manuals say; only trust in the stub's certificate is added.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.crowd import FIRST_ID, guid

One = Callable[[int], Awaitable[None]]


MODULES = {"msgraph-sdk": "msgraph", "symphony-bdk-python": "symphony"}


def installed() -> list[str]:
    """The yardsticks that are installed, by the names they are installed by."""
    return [name for name, module in MODULES.items() if find_spec(module) is not None]


def missing() -> list[str]:
    """The yardsticks that are not installed."""
    return [name for name in MODULES if name not in installed()]


class _Bench:
    """A credential that needs no network."""

    async def get_token(self, *_scopes: str, **_options: Any) -> Any:
        return importlib.import_module("azure.core.credentials").AccessToken("bench", 4_000_000_000)

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def graph(base: str, ca: Path | None) -> AsyncIterator[One | None]:
    """Microsoft's SDK setting a presence; None where it is not installed, or without TLS, which it insists on."""
    if find_spec("msgraph") is None or ca is None:
        yield None
        return
    load = importlib.import_module
    allowed = [urlsplit(base).hostname]
    kiota = load("kiota_authentication_azure.azure_identity_authentication_provider")
    provider = kiota.AzureIdentityAuthenticationProvider(_Bench(), scopes=["bench/.default"], allowed_hosts=allowed)
    core = load("msgraph_core")
    import httpx

    plain = httpx.AsyncClient(verify=str(ca), timeout=30, trust_env=False)
    client = core.GraphClientFactory.create_with_default_middleware(client=plain)
    adapter = load("msgraph.graph_request_adapter").GraphRequestAdapter(provider, client)
    adapter.base_url = f"{base}/v1.0"
    sdk = load("msgraph").GraphServiceClient(request_adapter=adapter)
    post_body = load(
        "msgraph.generated.users.item.presence.set_presence.set_presence_post_request_body"
    ).SetPresencePostRequestBody
    hour = load("datetime").timedelta(hours=1)

    async def one(number: int) -> None:
        body = post_body(session_id=guid(0), availability="Available", activity="Available", expiration_duration=hour)
        await sdk.users.by_user_id(guid(number)).presence.set_presence.post(body)

    yield one
    await client.aclose()


@asynccontextmanager
async def symphony(base: str, key: str) -> AsyncIterator[One | None]:
    """Symphony's BDK setting a user's presence; None where it is not installed."""
    if find_spec("symphony") is None:
        yield None
        return
    load = importlib.import_module
    parts = urlsplit(base)
    settings = load("symphony.bdk.core.config.model.bdk_config").BdkConfig(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port,
        bot={"username": "bench", "privateKey": {"content": key}},
    )
    status = load("symphony.bdk.core.service.presence.presence_service").PresenceStatus.BUSY
    async with load("symphony.bdk.core.symphony_bdk").SymphonyBdk(settings) as bdk:
        presence = bdk.presence()

        async def one(number: int) -> None:
            await presence.set_user_presence(FIRST_ID + number, status, False)

        yield one
