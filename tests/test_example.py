"""The example is complete and true: it loads, what it calls a default is one, and no key is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from presence_syncd.config import Config, DaemonSettings, LogSettings, Policy, load, schema
from presence_syncd.config.reading import AccountTable
from presence_syncd.connectors import REGISTRY

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def section(header: str) -> str:
    """The lines between a header and the next."""
    found = re.search(rf"^\[+{re.escape(header)}\]+.*\n((?:(?!\[).*\n)*)", EXAMPLE.read_text(), re.MULTILINE)
    assert found is not None, f"the example has no {header}"
    return found[1]


def keys(header: str) -> set[str]:
    """Every key of a section, also those that are commented out."""
    return set(re.findall(r"^(?:#(?:\| )?)?([a-z_]+) = ", section(header), re.MULTILINE))


def named(config: Config, kind: str) -> str:
    """The example's service of a kind."""
    return next(name for name, settings in config.services.items() if settings.type == kind)


def test_loads_without_a_warning() -> None:
    assert load(EXAMPLE).warnings == ()


def test_is_what_the_schema_describes() -> None:
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(EXAMPLE.read_text()))


def test_every_commented_key_shows_its_default(tmp_path: Path) -> None:
    everything = tmp_path / "everything.toml"
    everything.write_text(re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert load(everything) == load(EXAMPLE)


def test_first_line_names_the_schema() -> None:
    assert EXAMPLE.read_text().startswith("#:schema ")


def test_names_every_key_of_the_daemon_and_of_the_policy() -> None:
    assert keys("daemon") == set(DaemonSettings.model_fields)
    assert keys("policy") == set(Policy.model_fields)
    assert all(f"{key} = " in section("daemon") for key in LogSettings.model_fields)


@pytest.mark.parametrize("kind", REGISTRY)
def test_names_every_key_of_a_service_and_of_its_links(kind: str) -> None:
    name = named(load(EXAMPLE), kind)
    assert keys(f"services.{name}") == set(REGISTRY[kind].settings.model_fields)
    assert keys(f"account.links.{name}") == set(REGISTRY[kind].link_settings.model_fields)


def test_names_every_key_of_an_account() -> None:
    tables = {"policy", "links"}  # with headers of their own
    assert keys("account") == set(AccountTable.model_fields) - tables


def test_lines_are_short_enough_for_a_terminal() -> None:
    assert max(map(len, EXAMPLE.read_text().splitlines())) <= 128
