"""The JSON schema of every kind of configuration file, generated from the models, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, create_model

from trialwatt.config import registry
from trialwatt.config.models import Experiment, Settings, Space, Testbed, WorkloadFile
from trialwatt.config.tables import CarbonTable, PowerTable, PriceTable
from trialwatt.files import write_whole

FOLDER = "config/schema"

KINDS: dict[str, Any] = {
    "settings": Settings,
    "experiment": Experiment,
    "workload": WorkloadFile,
    "space": Space,
    "testbed": Testbed,
    "prices": PriceTable,
    "carbon": CarbonTable,
    "power": PowerTable,
}


class _Closed(Testbed):
    model_config = ConfigDict(extra="forbid")


def _whole_testbed() -> type[Testbed]:
    """The testbed with the sections of all parts that are installed."""
    known = registry.options()
    sections = {key: kind for key in known.names if (kind := known.load(key)[0]) is not None}
    fields: dict[str, Any] = {key: (kind | None, None) for key, kind in sections.items()}
    return create_model("Testbed", __base__=_Closed, __doc__=Testbed.__doc__, **fields)


def schemas() -> dict[str, dict[str, Any]]:
    """Kind of file → its JSON schema (draft 2020-12)."""
    found = {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **TypeAdapter(_whole_testbed() if kind is Testbed else kind).json_schema(),
        }
        for name, kind in KINDS.items()
    }
    del found["settings"]["required"]  # a settings file may be merged over another one
    return found


def schema_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_schemas(root: Path) -> list[Path]:
    """Write config/schema/<kind>.json below root; returns the files."""
    folder = root / FOLDER
    written = []
    for name, schema in schemas().items():
        path = folder / f"{name}.json"
        write_whole(path, schema_text(schema))
        written.append(path)
    return written
