"""What is reckoned before anything runs: rates above a limit, and people who do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from presence_syncd.config import forecasts
from tests.config.texts import GOOD, good


def people(count: int) -> str:
    user = "00000000-0000-4000-8000-{:012d}"
    tables = (f'[[account]]\nname = "u{n}"\nlinks.teams.user = "{user.format(n)}"\n' for n in range(count))
    links = (f"links.symphony.user_id = {n + 10}\n" for n in range(count))
    return "".join(table + link for table, link in zip(tables, links, strict=True))


def warnings(folder: Path, text: str) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in good(folder, text).warnings]


def test_what_everybody_needs_is_compared_with_what_is_granted(tmp_path: Path) -> None:
    plan = forecasts(good(tmp_path, GOOD + people(659)))
    teams, symphony = plan["teams"], plan["symphony"]
    assert (teams.links, teams.granted, symphony.granted) == (660, 37.5, 10.0)
    assert teams.sweeps == pytest.approx(2 / 5)  # two reads of 650 at most, every five seconds
    assert teams.renewals == pytest.approx(660 / (220 * 1.05))
    assert teams.slack == pytest.approx(300 - 1.1 * 220)
    assert symphony.needed == pytest.approx(1 / 60)


def test_a_rate_above_the_plan_of_a_documented_limit_is_told(tmp_path: Path) -> None:
    assert warnings(tmp_path, GOOD.replace('type = "graph"', 'type = "graph"\nrate = 37.5')) == []
    text = GOOD.replace('type = "graph"', 'type = "graph"\nrate = 45.0').replace(
        'type = "sym', 'rate = 500.0\ntype = "sym'
    )
    said = "is above 37.5, with which bursts, too, stay within 80% of the documented limit, 1,500 requests in 30 s"
    hint = "leave it out, unless the service is known to grant this login more"
    assert warnings(tmp_path, text) == [f"p.toml:3:1: services.teams.rate: {said} ({hint})"]


def test_people_who_do_not_fit_are_told_with_numbers_and_ways_out(tmp_path: Path) -> None:
    text = GOOD.replace('type = "graph"', 'type = "graph"\nrate = 0.6')
    assert warnings(tmp_path, text + people(85)) == []
    said = "185 links need 1 requests per second while everybody is there, and 0.6 are granted (167%)"
    ways = (
        "let a second login serve 93 of them",
        "read less often: that takes 0.2",
        "renew later, leases being longer: that takes 0.801",
        "set a higher rate if the service grants it",
    )
    (told,) = warnings(tmp_path, text + people(184))
    outcome = "sessions will lapse, those of VIPs last"
    assert told == f"p.toml:1:1: services.teams: {said}: {outcome} ({'; '.join(ways)})"


def test_where_nothing_is_renewed_reads_come_late(tmp_path: Path) -> None:
    text = GOOD.replace('type = "symphony"', 'type = "symphony"\nrate = 0.05\nlist_above = 5')
    (said,) = warnings(tmp_path, text)
    assert "services.symphony: 1 link needs 0.0667 requests per second" in said
    ways = "read less often: that takes 0.0667; set a higher rate if the service grants it"
    assert said.endswith(f"(133%): reads will come late ({ways})")
