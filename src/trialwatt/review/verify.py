"""`trialwatt verify`: check results, whosever they are, and say what holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.printed import printable
from trialwatt.provenance import crate, planfile
from trialwatt.provenance.archivefile import BadArchive, unpack
from trialwatt.provenance.planfile import read_plan
from trialwatt.review.tree import RESULTS, Tree, archive_within, notes_of, tree_of

_LISTED = 40
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Verdict:
    """What came of a verification: see review.examine.examine. notes: review.tree.notes_of."""

    place: str
    problems: list[dict]
    counts: dict
    claims: list[dict]
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(path: Path) -> Verdict:
    """Check an archive, an unpacked one, or a results folder.

    Raises TrialwattError where it is none of them, damaged, of another workflow, or newer.
    """
    with opened(path) as tree:
        return verify_tree(tree, str(path))


def verify_tree(tree: Tree, place: str) -> Verdict:
    """Check a tree; `place` is how the verdict calls it."""
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        answer = _in_a_fresh_process("verify", tree, Path(folder, "work"))
    return Verdict(place, answer["problems"], answer["counts"], answer["claims"], notes_of(tree))


def remake_command(path: Path, output: Path) -> str:
    """Make everything of an archive's or folder's records again in `output`; returns a sentence."""
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise TrialwattError(f"{output}: is there already; name a new folder with --output")
    part = output.with_name(f".{output.name}.part")
    if part.exists():
        raise TrialwattError(f"{part}: left by a call that was cut off; remove it")
    with opened(path) as tree:
        try:
            answer = _in_a_fresh_process("remake", tree, part)
            _leave_records_out(part)
            if output.exists():
                output.rmdir()
            part.rename(output)
        finally:
            _remove(part)
        notes = "".join(f"\nnote: {note}" for note in notes_of(tree))
    failed = "\n".join(f"{name}: {why}" for name, why in answer["failed"].items())
    if failed:
        raise TrialwattError(f"not everything could be made again in {output}:\n{failed}")
    paper = ", and the paper" if answer["paper"] else ""
    return f"{answer['figures']} figures, all metrics and tables{paper}: {output / RESULTS}{notes}"


@contextmanager
def opened(path: Path) -> Iterator[Tree]:
    """The tree of an archive (unpacked for as long as it is looked at), or of a folder."""
    path = Path(path)
    if path.is_dir():
        yield _known(tree_of(path))
        return
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        yield unpacked(path, Path(folder))


def unpacked(archive: Path, folder: Path) -> Tree:
    """Unpack an archive into `folder` (empty); its tree, there or one folder down.

    Raises BadArchive where it is none, damaged, not safe, of another workflow, or newer.
    """
    content = unpack(archive, folder)
    place = archive_within(folder)
    if not (place / crate.NAME).is_file():
        raise BadArchive(f"{archive}: no archive of trialwatt, it has no {crate.NAME}")
    inner = "" if place == folder else place.name
    skipped = tuple(content.company)
    try:
        return _known(Tree(place, place / RESULTS, True, inner=inner, skipped=skipped))
    except TrialwattError as error:
        raise BadArchive(f"{archive}: {error}") from error


def _known(tree: Tree) -> Tree:
    """Refuse what is of another workflow, or newer, before anything else is said of it."""
    if tree.is_archive:
        crate.checksums(tree.root / crate.NAME)
    read_plan(tree.results / planfile.NAME)
    return tree


def _in_a_fresh_process(do: str, tree: Tree, work: Path) -> dict:
    """Runs review.fresh: isolated from this process, its folder and the user's own modules."""
    work.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        task, answer = Path(folder, "task.json"), Path(folder, "answer.json")
        values = {
            "do": do,
            "root": str(tree.root.resolve()),
            "results": str(tree.results.resolve()),
            "is_archive": tree.is_archive,
            "work": str(work.resolve()),
            "answer": str(answer),
        }
        task.write_text(json.dumps(values), encoding="utf-8")
        environment = os.environ | {name: "1" for name in _THREADS} | {"MPLCONFIGDIR": folder}
        done = subprocess.run(
            [sys.executable, "-I", "-m", "trialwatt.review.fresh", str(task)],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not answer.is_file():
            raise TrialwattError(
                f"the verifying process ended with exit code {done.returncode} and no answer; "
                "what it said stands above"
            )
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise TrialwattError(found["error"])
    return found


def _leave_records_out(folder: Path) -> None:
    """The records are the archive's; here they were only linked."""
    for link in (folder / RESULTS).iterdir():
        if link.is_symlink():
            link.unlink()


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


# --- rendering --------------------------------------------------------------------------------


def render_text(verdict: Verdict) -> str:
    """What was checked, what is wrong, and a line per claim."""
    counts = verdict.counts
    lines = [
        verdict.place,
        f"  {counts['files']} files against their checksums, {counts['runs']} runs against their "
        f"manifests and the plan, {counts['configuration']} configuration files",
    ]
    again = [name for name, of in counts.items() if isinstance(of, list) and of[1]]
    if again:
        lines.append(
            "  energy and metrics from the raw samples, and all that follows, made again: "
            + ", ".join(
                f"{name} {counts[name][0]} of {counts[name][1]} identical" for name in again
            )
        )
    lines += [f"problem: {one['path']}: {one['said']}" for one in verdict.problems[:_LISTED]]
    if len(verdict.problems) > _LISTED:
        lines.append(f"and {len(verdict.problems) - _LISTED} more problems (--json has all)")
    lines += [f"note: {note}" for note in verdict.notes]
    lines.append("claims:")
    for claim in verdict.claims:
        state = (
            f"NOT REPRODUCED ({claim['problems']} problems)" if claim["problems"] else "reproduced"
        )
        expected = claim["expected"][0] if claim["expected"] else "no expected result"
        lines.append(f"  {claim['id']}: {state}: {expected}")
    if not verdict.claims:
        lines.append("  none could be made again")
    if verdict.ok:
        lines.append("Verified: everything is there, unchanged, and comes out the same again.")
    else:
        lines.append(f"NOT verified: {len(verdict.problems)} problems.")
    return printable(lines)


def render_json(verdict: Verdict) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "place": verdict.place,
            "ok": verdict.ok,
            "problems": verdict.problems,
            "counts": verdict.counts,
            "claims": verdict.claims,
            "notes": verdict.notes,
        },
        indent=1,
        sort_keys=True,
    )


def verify_command(path: Path, as_json: bool = False) -> int:
    """Print the verdict; 0 where everything holds, else 1."""
    verdict = verify(path)
    print(render_json(verdict) if as_json else render_text(verdict))
    return 0 if verdict.ok else 1
