"""The JSON schema of every kind of configuration file, generated from the models, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

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


def schemas() -> dict[str, dict[str, Any]]:
    """Kind of file → its JSON schema (draft 2020-12)."""
    found = {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **TypeAdapter(kind).json_schema(),
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
