"""Whether the configured people fit into what their services grant, reckoned before anything runs.

The one rule: planned is the busiest time, when everybody is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from presence_syncd.config.contents import make_service
from presence_syncd.config.tables import AccountSettings, Config
from presence_syncd.connectors.connector import Link, Service
from presence_syncd.connectors.upkeep import PLANNED, Forecast, Needs, forecast
from presence_syncd.errors import Problem

Linked: TypeAlias = tuple[AccountSettings, str, Link]
"""A link, with its account and the name of its service."""
MUCH = 0.1
"""Part of what is needed from which it is worth saying how to need less of it."""


def forecasts(config: Config) -> dict[str, Forecast]:
    """What every service's login needs, and is granted. Raises ValueError for settings that do not fit."""
    services = {name: make_service(config, name) for name in config.services}
    needs: dict[str, Needs] = {}
    deque(counted(links_of(config, services), needs), maxlen=0)
    return compared(services, needs)


def links_of(config: Config, services: Mapping[str, Service]) -> Iterator[Linked]:
    """Make every link there is, one after the other: with many people all at once would take much memory."""
    for account in config.accounts:
        for name, settings in account.links.items():
            if name in services:
                yield account, name, services[name].link(account.name, settings, {})


def counted(links: Iterable[Linked], needs: dict[str, Needs]) -> Iterator[Linked]:
    """Pass links on, adding what each needs to the `needs` of its service."""
    for account, name, link in links:
        needs.setdefault(name, Needs()).add(link.upkeep())
        yield account, name, link


def compared(services: Mapping[str, Service], needs: Mapping[str, Needs]) -> dict[str, Forecast]:
    """Compare what was counted with what each service's login is granted."""
    return {
        name: forecast(needs.get(name, Needs()), service.sweeping, service.traits.rate)
        for name, service in services.items()
    }


def too_fast(config: Config, services: Mapping[str, Service]) -> Iterator[Problem]:
    """Rates set above what is planned of a documented limit."""
    for name, service in services.items():
        limit, rate = service.traits.limit, config.services[name].rate
        if limit is not None and rate is not None and rate > limit.rate:
            said = f"is above {limit.rate:g}, with which bursts, too, stay within {PLANNED:.0%} of the documented limit"
            hint = "leave it out, unless the service is known to grant this login more"
            yield config.origin(f"services.{name}").problem(("rate",), f"{said}, {limit}", hint)


def too_many(config: Config, found: Mapping[str, Forecast]) -> Iterator[Problem]:
    """Logins that cannot serve everybody who is linked to them."""
    for name, plan in found.items():
        if plan.ratio > 1:
            yield config.origin(f"services.{name}").problem((), _too_many(plan), _way_out(plan))


def _too_many(plan: Forecast) -> str:
    needs = f"{plan.links:,} {'link needs' if plan.links == 1 else 'links need'} {plan.needed:.3g} requests per second"
    lapse = plan.renewals > plan.granted  # renewals go before reads
    outcome = "sessions will lapse, those of VIPs last" if lapse else "reads will come late"
    return f"{needs} while everybody is there, and {plan.granted:g} are granted ({plan.ratio:.0%}): {outcome}"


def _way_out(plan: Forecast) -> str:
    """What to do about it, the parts that need most named."""
    too_many, reads = -(plan.further or 0), plan.sweeps + plan.polls
    ways = [f"let a second login serve {too_many:,} of them"] if too_many < plan.links else []
    if reads > MUCH * plan.needed:
        ways.append(f"read less often: that takes {reads:.3g}")
    if plan.renewals > MUCH * plan.needed:
        ways.append(f"renew later, leases being longer: that takes {plan.renewals:.3g}")
    return "; ".join((*ways, "set a higher rate if the service grants it"))
