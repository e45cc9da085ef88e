"""The runs of the synthetic project, to be forged with every checksum made anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.review.believable import edit_rows

from trialwatt.records.manifest import write_manifest
from trialwatt.review.plausible import check_plausible
from trialwatt.review.tree import Tree


class Forged:
    """A copy of the project's records and its plan; `run` is the folder of one of its runs."""

    def __init__(self, project, root: Path):
        self.results = root / "results"
        for name in ("runs", "sweeps", "testbeds"):
            shutil.copytree(project.results / name, self.results / name)
        shutil.copy(project.results / "plan.json", self.results)
        self.root = root
        self.run = min(self.results.glob("runs/*/*/rep*"))
        self.runs = sorted(self.results.glob("runs/*/*/rep*"))

    def manifest(self, change: Callable[[dict], object], run: Path | None = None) -> None:
        """Change run.json; the checksums in it are then those of the files."""
        run = run or self.run
        content = json.loads((run / "run.json").read_text())
        change(content)
        write_manifest(run, content)

    def rows(self, name: str, change: Callable[[list[str]], list[str]]) -> None:
        edit_rows(self.run / name, change)
        self.manifest(lambda content: None)

    def events(self, name: str, change: Callable[[dict], object]) -> None:
        """Change events in place; one for which `change` gives False is left out."""
        file = self.run / "records" / name
        events = [json.loads(line) for line in file.open()]
        kept = [event for event in events if change(event) is not False]
        file.write_text("".join(json.dumps(e, separators=(",", ":")) + "\n" for e in kept))
        self.manifest(lambda content: None)

    def testbed(self, change: Callable[[dict], object]) -> None:
        file = self.results / "testbeds/lab.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    def said(self, now_ns: int | None = None, is_archive: bool = False) -> dict[str, str]:
        """What is found: path below the forged run's folder (whole, of another run) → sentences."""
        tree = Tree(self.root, self.results, is_archive=is_archive)
        own = f"results/{self.run.relative_to(self.results).as_posix()}/"
        found: dict[str, str] = {}
        for problem in check_plausible(tree, now_ns):
            path = problem.path.removeprefix(own)
            found[path] = f"{found.get(path, '')}{problem.said}\n"
        return found
