"""The worked examples of documents, as they are installed: each code block begins with its file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def block(document: str, file: str) -> str:
    """The code block of docs/<document> that begins with the name of this file."""
    text = (DOCS / document).read_text()
    (found,) = re.findall(rf"^```\w+\n# {re.escape(file)}\n(.*?)^```$", text, re.S | re.M)
    return found


def install(document: str, modules: list[str], site: Path) -> None:
    """What pip would make of the document's pyproject.toml and modules, in a folder of a path."""
    project = tomllib.loads(block(document, "pyproject.toml"))["project"]
    info = site / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    for module in modules:
        (site / module).write_text(block(document, module))
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in project["entry-points"].items()
        )
    )
