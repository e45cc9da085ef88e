"""The files that a chain names, as they lie on this disk; each is read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trialwatt.config.plan import ELSEWHERE
from trialwatt.printable import shown
from trialwatt.provenance.crate import is_light, left_out
from trialwatt.provenance.foreign import Missing, Unreadable, checksum
from trialwatt.provenance.traced import Check, Part

_WITNESSES = 2


class Disk:
    """results, root: the folders below which files are looked for, None where none was found."""

    def __init__(self, results: Path | None, root: Path | None):
        self.results, self.root = results, root
        self._light = results is not None and is_light(results)
        self._sums: dict[str, str] = {}

    def config(self, name: str, named: Mapping[str, list[str]] | str) -> Check:
        """A configuration file, below the root, or copied from outside. named: as `_check`."""
        copies = self.results / ELSEWHERE if self.results is not None else None
        if copies is not None and "/" not in name and (copies / name).is_file():
            return self._check(copies, copies, name, "config", "", named)
        return self._check(self.root, _within(self.root, name), name, "config", "", named)

    def table(self, name: str, named: Mapping[str, list[str]] | str) -> Check:
        """A file below the results folder. named: as `_check`."""
        return self._check(self.results, _within(self.results, name), name, "table", "", named)

    def manifest(self, run: str, named: Mapping[str, list[str]] | str) -> Check:
        """The run.json of a run's folder, given below the results folder."""
        folder, within = self._folder(run), _within(self.results, run)
        return self._check(folder, within, "run.json", "manifest", run, named)

    def record(self, run: str, name: str, named: str, folder: Path | None = None) -> Check:
        """Another file of a run. folder: where the run lies, if not where its name says."""
        folder = folder or self._folder(run)
        found = self._check(folder, folder, name, "record", run, named)
        if found.state == "missing" and self._light and left_out(f"results/{run}/{name}"):
            return Check(name, "record", run, found.sha256, "left out")
        return found

    def file(self, path: Path, named: Mapping[str, list[str]] | str) -> Check:
        """The file that is traced, wherever it lies."""
        return self._check(path.parent, None, path.name, "file", "", named)

    def _folder(self, run: str) -> Path | None:
        return None if self.results is None else self.results / run

    def _check(
        self,
        base: Path | None,
        within: Path | None,
        name: str,
        part: Part,
        run: str,
        named: Mapping[str, list[str]] | str,
    ) -> Check:
        """named: the checksum of the chain, or each that is on record with who names it.

        within: the folder that no link may lead out of.
        """
        wanted = {named: []} if isinstance(named, str) else named
        first = next(iter(wanted), "")
        try:
            found = self._sha256(base, within, name)
        except Missing:
            return Check(name, part, run, first, "missing")
        except Unreadable as error:
            why = str(error).rpartition(": ")[2]
            return Check(name, part, run, first, "unreadable", why)
        if not wanted:
            return Check(name, part, run, found, "no checksum")
        other = next((one for one in wanted if one != found), None)
        if other is not None:
            return Check(name, part, run, other, "differs", _by("from that in", wanted[other]))
        return Check(name, part, run, found, "agrees", _by("as in", wanted[found]))

    def _sha256(self, base: Path | None, within: Path | None, name: str) -> str:
        if base is None:
            raise Missing(name)
        real = os.path.realpath(base / name)
        if within is not None and not Path(real).is_relative_to(os.path.realpath(within)):
            raise Unreadable(f"{name}: a link that leads out of its folder")
        if real not in self._sums:
            self._sums[real] = checksum(Path(real))
        return self._sums[real]


def _within(base: Path | None, name: str) -> Path | None:
    """The first folder of the path: that one may be a link, say to another disk, no other."""
    first, *more = PurePosixPath(name).parts
    return base / first if base is not None and more else base


def _by(how: str, who: list[str]) -> str:
    if not who:
        return ""
    more = f" and {len(who) - _WITNESSES} more" if len(who) > _WITNESSES else ""
    return shown(f"{how} {', '.join(who[:_WITNESSES])}{more}", 300)
