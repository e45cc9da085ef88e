"""The figures of one script, made of a real block."""

import pytest

import trialwatt
from trialwatt.measure.figures import anytime, energy_by_trial, save


@pytest.fixture(scope="module")
def result():
    with trialwatt.measure(meters=["model"], line=False) as m:
        for score in (0.2, 0.9, 0.5):
            with m.trial({"lr": score}) as trial:
                trial.score = score
        with m.trial({"lr": 0.2}) as trial:
            trial.score = 0.2
        with m.trial({"lr": 7}) as trial:
            trial.outcome = "pruned"
    return m.result


@pytest.mark.parametrize(("maximize", "best"), [(True, [0.2, 0.9, 0.9]), (False, [0.2] * 3)])
def test_the_best_score_so_far(result, maximize, best):
    figure = anytime(result, maximize)
    time_axes, energy_axes = figure.axes
    assert list(time_axes.lines[0].get_ydata()[:3]) == best
    spent = energy_axes.lines[0].get_xdata()
    assert list(spent) == sorted(spent) and spent[-1] == result.energy_j
    assert "modelled" in energy_axes.get_xlabel()
    assert "not measured" in figure._supxlabel.get_text()


def test_energy_by_trial(result):
    axes = energy_by_trial(result).axes[0]
    tops = [bar.get_y() + bar.get_height() for bar in axes.patches[5:]]
    assert tops == pytest.approx([trial.energy_j for trial in result.trials])
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["completed", "duplicate", "pruned"]


def test_nothing_to_draw_is_said():
    with trialwatt.measure(meters=["model"], line=False) as m:
        pass
    for figure in (anytime(m.result), energy_by_trial(m.result)):
        assert "No data" in figure.axes[0].texts[1].get_text()


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_figure_is_saved_by_the_name_of_its_file(result, tmp_path, suffix, begins):
    file = tmp_path / f"figure.{suffix}"
    save(energy_by_trial(result), file)
    assert file.read_bytes().startswith(begins)
