"""What goes wrong: at one service, with the daemon, or with its clock; when, and for how long.

The one rule: every fault ends. What a fault does is one entry of a table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from presence_syncd.connectors.emulation import Answer

AT_SERVICE = {
    "refused": 10,
    "silent": 10,
    "cut": 14,
    "half": 12,
    "slow": 8,
    "proxy": 8,
    "throttled": 10,
    "errors": 12,
    "lost-answers": 12,
    "hang": 6,
    "tokens-lost": 8,
    "restart": 6,
    "restart-empty": 6,
    "unknown": 6,
    "gibberish": 5,
}
"""Faults of services and the way to them, and how often each is chosen."""
OF_DAEMON = {"kill": 14, "stop": 5, "reload": 10, "pause": 7, "pin": 5, "break": 6, "clock": 6}
"""What happens to the daemon itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: from `at` for `seconds`. `where` is a service or an account; `draw` (0 to 1) decides its details."""

    at: float
    kind: str
    where: str
    seconds: float
    draw: float


def faults(
    rng: random.Random, services: list[str], accounts: list[str], since: float, until: float, pace: float
) -> Iterator[Fault]:
    """The faults between two times; `pace` is the mean of the seconds between them. All end before `until`."""
    at = since + rng.expovariate(1 / pace)
    while at < until:
        table = AT_SERVICE if rng.random() < 0.7 else OF_DAEMON
        kind = rng.choices(list(table), list(table.values()))[0]
        seconds = min(rng.choice([1.0, 5.0, 20.0, 60.0, 180.0]) * rng.uniform(0.5, 1.5), until - at)
        yield Fault(at, kind, rng.choice(services if table is AT_SERVICE else accounts), seconds, rng.random())
        at += rng.expovariate(1 / pace) + 0.001


def scripted(kind: str, service: str, draw: float) -> list[Answer]:
    """The answers a service is told to give for a fault; none for faults of another kind."""
    times = 1 + int(draw * 5)
    status = (500, 502, 503, 504)[int(draw * 4)]
    later = {"Retry-After": str(1 + int(draw * 30))}
    scripts: dict[str, list[Answer]] = {
        "throttled": [Answer(429, later, times=times)],
        "errors": [Answer(status, times=times)],
        "lost-answers": [Answer(504, method="POST", times=times, apply=True)],
        "hang": [Answer(hang=True, times=times)],
        "gibberish": [Answer(200, {"content-type": "application/json"}, "{not json", times=times)],
        "unknown": _unknown(service, times),
    }
    return scripts.get(kind, [])


def _unknown(service: str, times: int) -> list[Answer]:
    """A service that does not know what somebody shows."""
    headers = {"content-type": "application/json"}
    if service == "teams":
        body = '{"value": [{"id": "%s", "availability": "PresenceUnknown", "activity": "PresenceUnknown"}]}'
        return [Answer(200, headers, body % SOMEBODY, times=times, path="getPresencesByUserId")]
    if service == "symphony":
        return [Answer(200, headers, '{"category": "UNDEFINED"}', times=times, method="GET", path="/presence")]
    return []


SOMEBODY = "@somebody@"
"""Replaced by the id of a person of the tenant."""
