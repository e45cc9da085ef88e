import os
import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib
import matplotlib.font_manager
import pytest

from trialwatt.figures import style, suts
from trialwatt.provenance.embed import embedded

PROVENANCE = {"generator": "trialwatt", "kind": "figure/x", "experiment": {"id": "x"}, "é": "φ & <"}


def test_a_sut_looks_the_same_everywhere_and_unlike_the_others():
    marks = {sut: suts.mark(sut) for sut in ("plain", "optuna", "ray", "hyperopt")}
    assert len({m.colour for m in marks.values()}) == len({m.marker for m in marks.values()}) == 4
    assert suts.mark("mytuner") == suts.mark("mytuner")
    assert suts.mark("mytuner").colour not in {m.colour for m in marks.values()}
    assert suts.mark("mytuner").marker not in {m.marker for m in marks.values()}


def test_the_marks_of_unknown_suts_do_not_depend_on_the_process():
    assert suts.mark("nni") == suts.Mark("#56B4E9", "v")


def test_order_of_suts():
    assert suts.in_order(["zeta", "optuna", "alpha", "plain", "optuna"]) == [
        "plain",
        "optuna",
        "alpha",
        "zeta",
    ]


def test_the_font_is_the_one_that_matplotlib_ships():
    with style.look():
        (family,) = matplotlib.rcParams["font.family"]
        font = Path(matplotlib.font_manager.findfont(family, fallback_to_default=False))
    assert font.is_relative_to(matplotlib.get_data_path())


def test_nothing_is_left_behind(tmp_path):
    import matplotlib.pyplot

    before = dict(matplotlib.rcParams)
    style.save(style.nothing("x", "y"), tmp_path / "x", PROVENANCE)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == []


def test_the_users_settings_have_no_say():
    plain = style.render(style.nothing("x", "y"), ".svg", PROVENANCE)
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "font.family": "serif"}):
        assert style.render(style.nothing("x", "y"), ".svg", PROVENANCE) == plain


@pytest.mark.parametrize("suffix", style.SUFFIXES)
def test_provenance_survives_whatever_is_in_it(tmp_path, suffix):
    large = PROVENANCE | {"runs": [{"folder": f"runs/{i}", "sum": "0" * 64} for i in range(20_000)]}
    file = tmp_path / f"x{suffix}"
    file.write_bytes(style.render(style.nothing("x", "y"), suffix, large))
    assert embedded(file) == large


def test_no_date_and_no_type_3_font():
    pdf = style.render(style.nothing("x", "y"), ".pdf", PROVENANCE)
    assert b"CreationDate" not in pdf and b"/Type3" not in pdf
    svg = style.render(style.nothing("x", "y"), ".svg", PROVENANCE).decode()
    assert "<dc:date>" not in svg and "<text" not in svg


def test_half_a_figure_is_never_there(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        style.save(style.nothing("x", "y"), tmp_path / "x", PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_another_process_makes_the_same_bytes(tmp_path):
    """Neither the hash seed of a process nor its locale or time may show."""
    program = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from conftest import events, synthetic
        from trialwatt.figures.lifecycle import lifecycle
        from trialwatt.figures.resource import resource
        from trialwatt.figures.style import save
        from trialwatt.figures.timeline import timeline
        runs, trials = synthetic(repetitions=6, values=(4,))
        out = Path(sys.argv[1])
        facts = {{"generator": "trialwatt", "kind": "figure", "experiment": {{"id": "r-node"}}}}
        save(resource(runs, "r-node"), out / "resource", facts)
        save(lifecycle(runs, trials, "r-node"), out / "lifecycle", facts)
        save(timeline({{"one": events()}}), out / "timeline", facts)
        """
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed}
        command = [sys.executable, "-c", program, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    names = sorted(file.name for file in (tmp_path / "1").iterdir())
    assert len(names) == 12
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
