"""The read-only pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from presence_syncd.web.app import pages


class Source:
    """Answers as a daemon would."""

    ready = True

    def exposition(self) -> bytes:
        """The metrics."""
        return b"up 1\n"

    def readiness(self) -> dict[str, Any]:
        """Whether it is ready."""
        return {"ready": self.ready, "waiting": {}}

    def accounts(self) -> list[dict[str, Any]]:
        """Every account."""
        return [{"account": "ann"}]

    def budgets(self) -> list[dict[str, Any]]:
        """Every budget."""
        return [{"service": "teams", "ratio": 0.25}]

    def account(self, name: str) -> dict[str, Any] | None:
        """One account."""
        return {"account": name} if name == "ann" else None


async def _get(path: str, source: Source, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages(source)), base_url="http://daemon") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/metrics", 200, "up 1"),
        ("/-/healthy", 200, "healthy"),
        ("/-/ready", 200, "true"),
        ("/api/v1/accounts", 200, "ann"),
        ("/api/v1/accounts/ann", 200, "ann"),
        ("/api/v1/budgets", 200, "teams"),
        ("/api/v1/accounts/bob", 404, "no such account"),
        ("/nowhere", 404, ""),
    ],
)
async def test_each_page_answers(path: str, status: int, text: str) -> None:
    answer = await _get(path, Source())
    assert answer.status_code == status
    assert text in answer.text


async def test_it_is_not_ready_until_it_is() -> None:
    source = Source()
    source.ready = False
    assert (await _get("/-/ready", source)).status_code == 503


async def test_metrics_say_their_format() -> None:
    assert (await _get("/metrics", Source())).headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_changed_here(method: str) -> None:
    assert (await _get("/api/v1/accounts/ann", Source(), method)).status_code == 405
