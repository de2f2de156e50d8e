"""Files of `conf.d` that hold one account each, as the command line writes them.

The one rule: a file is written whole and put in place at once; what people wrote by hand is never touched; a change
that makes the configuration wrong is taken back.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w

from presence_syncd.config import AccountSettings, Config, check_environment, load
from presence_syncd.config.documents import EXTRA_FOLDER
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.fields import LinkSettings, Secret, SecretRef
from presence_syncd.errors import ConfigError
from presence_syncd.secrets import Secrets

HEADER = "# Written by `presence-syncd account add`, and removed by `presence-syncd account remove`.\n"
"""The first line of every file written here."""


class NotDone(Exception):
    """The change was not made; the text says why."""


class _Here(Secrets):
    """Secrets as far as they can be looked at outside of the daemon: its credentials and variables are its own."""

    def check(self, ref: SecretRef) -> Secret | None:
        """Look at files and programs only. Raises SecretMissing."""
        return None if ref.credential is not None or ref.env is not None else super().check(ref)


def place_of(config: Path, name: str) -> Path:
    """The file an account of that name gets."""
    return config.parent / EXTRA_FOLDER / f"{name}.toml"


def find(config: Config, name: str) -> AccountSettings | None:
    """The account of that name in any case, as the configuration compares names."""
    return next((account for account in config.accounts if account.name.casefold() == name.casefold()), None)


def add(path: Path, name: str, links: Mapping[str, Mapping[str, Any]], *, vip: bool = False) -> Path:
    """Write the account's file; returns it. `vip` as in the account's table.

    Raises ConfigError if the configuration is wrong, or would be, NotDone if there is such an account or file already.
    """
    config = load(path)
    if found := find(config, name):
        raise NotDone(f"there is an account {found.name} already, at {found.place}")
    file = place_of(path, name)
    if file.exists():
        raise NotDone(f"there is a file {file} already, which does not hold this account; it is not touched")
    facts: dict[str, Any] = {"name": name, **({"vip": True} if vip else {}), "links": links}
    table = tomli_w.dumps({"account": facts})  # an array of one would be put into one line
    _put(file, HEADER + table.replace("[account]", "[[account]]", 1), like=path)
    try:
        _check(path, file)
    except ConfigError:
        file.unlink()
        _settle(file.parent)
        raise
    return file


def _check(path: Path, file: Path) -> None:
    """Load the result, and look at what the new file needs of this machine. Raises ConfigError."""
    wrong = [problem for problem in check_environment(load(path), _Here()) if problem.file == str(file)]
    if wrong:
        raise ConfigError(wrong)


def remove(path: Path, name: str) -> Path:
    """Remove the account's file; returns it. Raises ConfigError, or NotDone if it is not ours to remove."""
    config = load(path)
    found = find(config, name)
    if found is None:
        raise KeyError(name)
    file = Path(found.place.file)
    if not _is_ours(file, found.name):
        raise NotDone(f"{found.name} stands at {found.place}, in a file written by hand: remove its table there")
    aside = file.with_name(f".{file.name}.removed")
    file.replace(aside)
    try:
        load(path)
    except ConfigError:
        aside.replace(file)
        raise
    aside.unlink()
    _settle(file.parent)
    return file


def _is_ours(file: Path, name: str) -> bool:
    """Whether the file was written here, and still holds this account and nothing else."""
    text = file.read_text()
    data = tomllib.loads(text)
    return text.startswith(HEADER) and list(data) == ["account"] and [a["name"] for a in data["account"]] == [name]


def _put(file: Path, text: str, *, like: Path) -> None:
    """Write a file whole and at once, to be read by whoever may read `like`."""
    status = like.stat()
    if not file.parent.exists():
        file.parent.mkdir()
        file.parent.chmod(like.parent.stat().st_mode & 0o777)  # whatever the umask: the daemon must get in
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as temporary:
            temporary.write(text)
            temporary.flush()
            os.fchmod(number, status.st_mode & 0o666)
            with suppress(PermissionError):  # only root gives files away
                os.fchown(number, status.st_uid, status.st_gid)
            os.fsync(number)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _settle(file.parent)


def _settle(folder: Path) -> None:
    """Let the folder's entries survive a power cut."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def links_from(config: Config, words: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Turn `SERVICE.KEY=VALUE` into link tables, each value of the type its key has. Raises ValueError."""
    links: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, value = word.partition("=")
        service = _service(config, place)
        keys = place[len(service) + 1 :].split(".")
        if not equals or not all(keys):
            raise ValueError(
                f"{place}: write SERVICE.KEY=VALUE, such as teams.user=fa8bf3dc-eca7-46b7-bad1-db199b62afc3"
            )
        model = REGISTRY[config.services[service].type].link_settings
        table = links.setdefault(service, {})
        for key in keys[:-1]:
            table = table.setdefault(key, {})
        table[keys[-1]] = _typed(value, _kinds(model, keys))
    return links


def _service(config: Config, place: str) -> str:
    """The service that a dotted place starts with; the longest, for names may have dots, too."""
    fitting = [name for name in config.services if place.startswith(f"{name}.")]
    if not fitting:
        raise ValueError(f"{place}: there is no such service; services: {', '.join(config.services) or 'none'}")
    return max(fitting, key=len)


def _kinds(model: type[LinkSettings], keys: list[str]) -> frozenset[str]:
    """The JSON types a key may have; none for an unknown key, about which loading will have its say."""
    whole = model.model_json_schema()
    parts: list[dict[str, Any]] = [whole]
    for key in keys:
        parts = [found for part in parts for way in _ways(whole, part) if (found := way.get("properties", {}).get(key))]
    return frozenset(way["type"] for part in parts for way in _ways(whole, part) if "type" in way)


def _ways(whole: dict[str, Any], part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema without references and choices: every way it may be."""
    if "$ref" in part:
        yield from _ways(whole, whole["$defs"][part["$ref"].rpartition("/")[2]])
    for choice in part.get("anyOf", ()):
        yield from _ways(whole, choice)
    yield part


def _typed(value: str, kinds: frozenset[str]) -> Any:
    """The value as TOML has it; what does not fit stays text, and is refused with its place when it is loaded."""
    if "string" in kinds or not kinds & {"integer", "number", "boolean", "array", "object"}:
        return value
    if "array" in kinds and not value.startswith("["):
        return [part.strip() for part in value.split(",")]
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        return value


def listed(config: Config) -> list[dict[str, Any]]:
    """Every account with its links and its place."""
    return [
        {"account": account.name, "vip": account.vip, "links": list(account.links), "place": str(account.place)}
        for account in config.accounts
    ]
