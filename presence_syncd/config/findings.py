"""Findings of one pass over the configuration, and pydantic's errors turned into them.

The one rule: what was wrong is said by key, kind and legal values; the value itself is never repeated, since it may be
a secret somebody wrote in the wrong place.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from presence_syncd.config.documents import Origin
from presence_syncd.errors import ConfigError, Problem
from presence_syncd.toml_places import Path

SHAPES: Mapping[str, str] = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "path_type": "must be a path in quotes",
    "missing": "is missing",
    "extra_forbidden": "unknown key",
}
"""What to say for pydantic's types of errors; other types speak for themselves."""

Model = TypeVar("Model", bound=BaseModel)


Others: TypeAlias = Callable[[], Mapping[str, Sequence[type[BaseModel]]]]


@dataclass(slots=True)
class Findings:
    """What was found so far: errors, and warnings one can live with."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    others: Others = dict
    """The tables of every kind of service, to tell where an unknown key belongs."""

    def refuse(self) -> None:
        """Raise ConfigError with every error in the order of files and lines, if there is any."""
        if self.errors:
            raise ConfigError(in_order(self.errors))

    def validate(self, model: type[Model], origin: Origin, table: object, at: Path = ()) -> Model | None:
        """Read a table; None if it is wrong, which is noted. What is wrong with all of it is noted as of key `at`."""
        try:
            return model.model_validate(table)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
        for details in wrong:
            details["loc"] = details["loc"] or at
        self.errors.extend(explain(model, origin, wrong, self.others))
        return None


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort by line within each file; files stay in the order in which they came up."""
    found = list(problems)
    files = list(dict.fromkeys(problem.file for problem in found))
    return sorted(found, key=lambda problem: (files.index(problem.file), problem.line, problem.column))


def explain(
    model: type[BaseModel], origin: Origin, errors: Iterable[ErrorDetails], others: Others = dict
) -> Iterator[Problem]:
    """Say what pydantic found, in our words."""
    for error in errors:
        message, hint = _message(error), ""
        if error["type"] == "extra_forbidden":
            key = str(error["loc"][-1])
            hint = _elsewhere(model, key, others()) or suggest(key, keys_at(model, error["loc"][:-1]))
        elif error["type"] in ("literal_error", "enum"):
            hint = suggest(str(error["input"]), choices(error), otherwise="")
        elif error["type"] == "missing":
            hint = _description(model, error["loc"])
        path = error["loc"] if error["type"] == "missing" else origin.known(error["loc"])
        yield origin.problem(path, message, hint, at=(*path, *_named(origin, path, message)))


def _elsewhere(model: type[BaseModel], key: str, others: Mapping[str, Sequence[type[BaseModel]]]) -> str:
    """Say which kinds of service have the key in the table that this kind has not."""
    own = next((kind for kind, models in others.items() if model in models), "")
    index = others[own].index(model) if own else 0
    kinds = [kind for kind, models in others.items() if own and key in models[index].model_fields]
    return f"a key of type {' and '.join(kinds)}; this service is of type {own}" if kinds else ""


def _named(origin: Origin, path: Path, message: str) -> tuple[str, ...]:
    """The first key that a message about a whole table names, if it stands there: the best place to look at."""
    words = re.findall(r"[a-z_]+", re.split("[;:]", message)[0])
    return next(((word,) for word in words if origin.known((*path, word)) == (*path, word)), ())


def suggest(word: str, legal: Iterable[str], otherwise: str | None = None) -> str:
    """Name the legal word that looks like `word`; else `otherwise`, by default all of them."""
    names = list(legal)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"legal: {', '.join(names) or 'none'}" if otherwise is None else otherwise


def choices(error: ErrorDetails) -> list[str]:
    """The legal values of a choice, of pydantic's text `'a', 'b' or 'c'`."""
    expected: str = error.get("ctx", {}).get("expected", "")
    return [part.strip("'") for part in expected.replace(" or ", ", ").split(", ")]


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys a table inside `model` may have."""
    for part in path:
        model = _table_at(model, part) or model
    return list(model.model_fields)


def _table_at(model: type[BaseModel], key: str | int) -> type[BaseModel] | None:
    found = model.model_fields.get(str(key))
    return next(_tables(found.annotation), None) if found else None


def _tables(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables(inner)


def _description(model: type[BaseModel], path: Path) -> str:
    found = model.model_fields.get(str(path[0])) if len(path) == 1 else None
    return (found.description or "") if found else ""


def _message(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("literal_error", "enum"):
        return "must be " + " or ".join(f'"{choice}"' for choice in choices(error))
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    text = SHAPES.get(kind) or error["msg"].replace("Input should", "must")
    return text[:1].lower() + text[1:]
