"""results/paper/paper.pdf from paper/, the numbers and the figures; same inputs, same bytes.

The sources are compiled in a folder of their own, where nothing is but they, the numbers and the
figures. Fonts are those inside the typst package; the document carries no date.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.provenance.foreign import read_json

MAIN = "main.typ"
NUMBERS = "numbers.json"
_MOST_BYTES = 64 << 20
PROVENANCE = "provenance.txt"
NO_PACKAGES = "no-packages"


def compiled(place: Path) -> bytes:
    """The PDF of `place`/main.typ, which may read files below `place` only, and whose fonts are
    those inside typst. Raises TrialwattError with what the compiler says."""
    return _compiled(place)


def build(
    source: Path,
    numbers: Path,
    results: Path,
    output: Path,
    provenance: str = "",
    compiled: Callable[[Path], bytes] = compiled,
) -> Path:
    """Compile `source`/main.typ into `output`, a PDF (or PNGs: a name with {p}, the page).

    numbers: of numbers.write_numbers. results: holds figures/. provenance: becomes the keywords
    of the PDF, where `trialwatt trace` looks for it. compiled: what makes the PDF of a folder.
    Raises TrialwattError where the paper names a number or a figure that is not made, or is not
    valid Typst.
    """
    for file in (source / MAIN, numbers):
        if not file.is_file():
            raise TrialwattError(f"{file}: missing, and the paper is made of it")
    with tempfile.TemporaryDirectory(prefix="trialwatt-paper-") as name:
        place = _place(source, numbers, results, Path(name))
        (place / PROVENANCE).write_text(provenance, encoding="utf-8")
        if output.suffix == ".pdf":
            write_whole(output, compiled(place))
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            _compiled(place, output)
    return output


def _place(source: Path, numbers: Path, results: Path, folder: Path) -> Path:
    place = folder / "paper"
    shutil.copytree(source, place, ignore=shutil.ignore_patterns(".*", "*.pdf"))
    shutil.copyfile(numbers, place / NUMBERS)
    content = _content(numbers)
    for own in (*content["experiments"].values(), *content.get("replays", {}).values()):
        for figure in own["figures"].values():
            target = place / figure["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(results / figure["path"], target)
            except OSError as error:
                raise TrialwattError(
                    f"{results / figure['path']}: {error.strerror}; {numbers.name} names this "
                    "figure, so make it with `snakemake --profile local`"
                ) from error
    return place


def _content(numbers: Path) -> dict:
    try:
        content = read_json(numbers, _MOST_BYTES)
        for part in (content["experiments"], content.get("replays", {})):
            [one["figures"].values() for one in part.values()]
    except (TrialwattError, KeyError, AttributeError, TypeError) as error:
        raise TrialwattError(f"{numbers}: damaged, not the paper's numbers ({error})") from error
    return content


def _compiled(place: Path, pages: Path | None = None) -> bytes | None:
    import typst

    try:
        return typst.compile(
            str(place / MAIN),
            root=str(place),
            font_paths=[],
            ignore_system_fonts=True,
            # a folder that there is not: a source cannot take packages of whoever compiles it
            package_path=str(place.parent / NO_PACKAGES),
            package_cache_path=str(place.parent / NO_PACKAGES),
            **({"output": str(pages), "format": "png", "ppi": 110.0} if pages else {}),
        )
    except typst.TypstError as error:
        raise TrialwattError(_said(error, place)) from error


def _said(error: Exception, place: Path) -> str:
    """Typst's message, without the temporary folder, with where in the source it is."""
    message = getattr(error, "message", "") or str(error)
    hints = [str(hint) for hint in getattr(error, "hints", [])]
    trace = [str(line) for line in getattr(error, "trace", [])]
    text = "\n".join(["the paper cannot be made: " + message, *hints, *trace])
    return text.replace(f"{place}/", "paper/")
