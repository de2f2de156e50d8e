"""The whole file as JSON Schema, for editors and linters.

The one rule: it is made of the same tables that are read, so that it cannot say anything else.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from presence_syncd.config.reading import NAME, AccountTable
from presence_syncd.config.tables import DaemonSettings, Policy
from presence_syncd.connectors import REGISTRY
from presence_syncd.connectors.fields import UNITS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Describe the main file (draft 2020-12). A file of `conf.d` is the same without `daemon` and `policy`."""
    services = [connector.settings for connector in REGISTRY.values()]
    links = [connector.link_settings for connector in REGISTRY.values()]
    models: list[type[BaseModel]] = [DaemonSettings, Policy, AccountTable, *services, *links]
    refs, tables = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    definitions = tables["$defs"]
    for definition in definitions.values():
        _write_durations(definition)
    for kind, connector in REGISTRY.items():
        table = definitions[_name(refs[connector.settings, "validation"])]
        table["properties"]["type"] = {"const": kind}
        table["required"] = sorted({"type", *table.get("required", ())})
    account = definitions[_name(refs[AccountTable, "validation"])]["properties"]
    account["policy"] = {"$ref": "#/$defs/Policy", "description": "what is different from [policy]"}
    account["links"] |= _by_name([refs[model, "validation"] for model in links])
    return {
        "$schema": DIALECT,
        "title": "presence-syncd configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "daemon": refs[DaemonSettings, "validation"] | {"description": "the process itself"},
            "policy": refs[Policy, "validation"] | {"description": "how an account's one status is made"},
            "services": {
                "type": "object",
                "description": "the systems presence is kept in, by names of your choice",
                **_by_name([refs[model, "validation"] for model in services]),
            },
            "account": {
                "type": "array",
                "description": "the people",
                "items": refs[AccountTable, "validation"],
            },
        },
        "$defs": definitions,
    }


def _name(ref: dict[str, Any]) -> str:
    name: str = ref["$ref"].rpartition("/")[2]
    return name


def _by_name(tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {"propertyNames": {"pattern": f"^{NAME.pattern}$"}, "additionalProperties": {"anyOf": tables}}


def _write_durations(definition: dict[str, Any]) -> None:
    """Defaults of durations are seconds inside, and text in the file."""
    for described in definition.get("properties", {}).values():
        if isinstance(described.get("default"), float) and described.get("type") == "string":
            described["default"] = write_duration(described["default"])


def write_duration(seconds: float) -> str:
    """Write seconds as the file has them, in the largest unit that is whole: `"15m"`, `"250ms"`."""
    unit = next((unit for unit, size in reversed(UNITS.items()) if (seconds / size).is_integer()), "s")
    return f"{seconds / UNITS[unit]:g}{unit}"
