"""Makes the generated part of docs/architecture.md: `python docs/architecture.py`.

It is made from pyproject.toml ([tool.trialwatt.house]), the docstrings and the real imports; the
walks beside it are written by hand.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from trialwatt.suts.matrix import between, replaced

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "trialwatt"
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- house: begin -->", "<!-- house: end -->"


def floors() -> list[list[str]]:
    """The names on each floor, the ground first; a name imports from its own floor or below."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["trialwatt"]["house"]["floors"]


def files_of(name: str) -> list[Path]:
    """The Python files of a package, or the one of a module, directly below trialwatt."""
    folder = SOURCE / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [SOURCE / f"{name}.py"]


def first_line(file: Path) -> str:
    """The first line of a file's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def imported(file: Path, names: set[str]) -> set[str]:
    """Which of these names a file imports from, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "trialwatt":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= _below(node.module)
        elif isinstance(node, ast.Import):
            found |= {name for alias in node.names for name in _below(alias.name)}
    return found & names


def _below(module: str) -> set[str]:
    parts = module.split(".")
    return {parts[1]} if parts[0] == "trialwatt" and len(parts) > 1 else set()


def house() -> str:
    """The generated part: the picture of the floors, and each room with its files."""
    levels = floors()
    names = {name for level in levels for name in level}
    uses = {
        name: sorted({other for file in files_of(name) for other in imported(file, names)} - {name})
        for name in names
    }
    return "\n".join([*_picture(levels), "", *_rooms(levels, uses)])


def _picture(levels: list[list[str]]) -> list[str]:
    """Mermaid: one box per floor, the highest on top."""
    lines = ["```mermaid", "flowchart TB"]
    for number, level in reversed(list(enumerate(levels))):
        lines.append(f'    f{number}["{" · ".join(level)}"]')
    order = " --> ".join(f"f{number}" for number in reversed(range(len(levels))))
    return [*lines, f"    {order}", "```"]


def _rooms(levels: list[list[str]], uses: dict[str, list[str]]) -> list[str]:
    lines = []
    for number, level in reversed(list(enumerate(levels))):
        lines += [f"### Floor {number}", ""]
        for name in level:
            below = ", ".join(uses[name]) or "nothing of ours"
            files = files_of(name)
            head = files[0] if len(files) == 1 else SOURCE / name / "__init__.py"
            lines += [f"**{name}**: {first_line(head)} Imports: {below}.", ""]
            lines += [
                f"- `{file.relative_to(SOURCE).as_posix()}`: {first_line(file)}"
                for file in files
                if file.name != "__init__.py" and len(files) > 1
            ]
            lines += [""] if len(files) > 1 else []
    return lines[:-1]


def fresh(document: str) -> str:
    """The document with its generated part made anew."""
    return replaced(document, BEGIN, END, house())


if __name__ == "__main__":
    between(DOCUMENT, BEGIN, END, house())
