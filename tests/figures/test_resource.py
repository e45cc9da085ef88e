import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import dots, words

from trialwatt.figures.resource import resource
from trialwatt.figures.suts import SUTS, mark


def drawn(axes, sut, size) -> set:
    """(x, y) of the marks of a SUT of a given size, each where its treatment stands."""
    return {(stand(axes, x), y) for x, y in dots(axes, size, mark(sut).colour)}


def stand(axes, x) -> float:
    """The treatment that is nearest to a place on the axis."""
    return float(min(axes.get_xticks(), key=lambda tick: abs(tick - x)))


def test_every_repetition_and_the_median_stand_where_they_should(make_synthetic):
    runs, _ = make_synthetic()
    figure = resource(runs, "r-node")
    for axes, column, factor in zip(
        figure.axes, ["ept_kwh", "twh_kwh", "oc", "jct_ms"], [1e6, 1e6, 1e6, 1e-3], strict=True
    ):
        for sut, rows in runs.groupby("sut"):
            points = drawn(axes, sut, 2.6)
            assert points == set(zip(rows["wn"].astype(float), rows[column] * factor, strict=True))
            medians = (rows.groupby("wn")[column].median() * factor).items()
            assert drawn(axes, sut, 4) == {(float(wn), value) for wn, value in medians}
    text = words(figure)
    assert "workers (0.5 core each)" in text and "n = 3" in text
    for unit in ("(mWh, modelled)", "(10⁻⁶ USD)", "(s)"):
        assert unit in text


def test_below_six_repetitions_nothing_is_called_95_percent(make_synthetic):
    few = words(resource(make_synthetic(repetitions=5)[0], "r-node"))
    assert "95" not in few and "smallest to largest" in few and "n = 5" in few
    many = words(resource(make_synthetic(repetitions=6)[0], "r-node"))
    assert "95 % interval" in many and "smallest to largest" not in many


def test_modelled_is_said_whenever_it_is(make_synthetic):
    assert "modelled, not measured" in words(resource(make_synthetic()[0], "r-node"))
    measured, _ = make_synthetic(method="counter")
    assert "modelled" not in words(resource(measured, "r-node"))
    measured.loc[0, "energy_method"] = "counter+modelled"
    assert "mWh, modelled" in words(resource(measured, "r-node"))


def test_infeasible_and_censored_runs_are_shown_and_not_averaged(make_synthetic):
    runs, _ = make_synthetic()
    first = (runs["sut"] == "plain") & (runs["wn"] == 1)
    runs.loc[first, "status"] = "infeasible"
    runs.loc[first, ["ept_kwh", "twh_kwh", "oc", "jct_ms"]] = np.nan
    late = runs.index[(runs["sut"] == "optuna") & (runs["wn"] == 8)][:1]
    runs.loc[late, "status"] = "deadline"
    runs.loc[late, "jct_ms"] = 1e5
    figure = resource(runs, "r-node")
    jct = figure.axes[3]
    assert drawn(jct, "plain", 4.5) == {(1.0, 0.0)}
    assert (8.0, 100.0) in drawn(jct, "optuna", 2.6)
    kept = runs[(runs["sut"] == "optuna") & (runs["wn"] == 8) & (runs["status"] == "completed")]
    assert (8.0, kept["jct_ms"].median() * 1e-3) in drawn(jct, "optuna", 4)
    assert jct.get_ylim()[1] > 100
    text = words(figure)
    assert "infeasible" in text and "ended by deadline" in text and "n = 2–3" in text


def test_physical_cores_are_on_the_axis_of_r_cpu(make_synthetic):
    runs, _ = make_synthetic("r-cpu", "wcpu", (1.0, 2.0, 4.0))
    assert "0.5\n(2)" in words(resource(runs, "r-cpu"))


def test_words_as_treatments(make_synthetic):
    runs, _ = make_synthetic("r-acl", "accelerator", ("cpu", "gpu"))
    ticks = [t.get_text() for t in resource(runs, "r-acl").axes[0].get_xticklabels()]
    assert ticks == ["cpu", "gpu"]


def end(sut, state, value, sampler="grid", testbed="local", reason="", demonstration=False):
    """An entry of convergence.json."""
    place = {"sut": sut, "sampler": sampler, "testbed": testbed}
    found = {"state": state, "converged_value": value, "best_value": value, "reason": reason}
    return place | found | {"demonstration": demonstration}


def absent(sut, treatment, reason):
    """An entry of unavailable.json."""
    return {"sut": sut, "treatment": treatment, "reason": reason}


def rings(axes) -> set:
    """(colour, x, y) of what is ringed."""
    return {(mark(sut).colour, *at) for sut in SUTS for at in drawn(axes, sut, 9)}


def test_the_converged_step_is_ringed_and_others_say_why_not(make_synthetic):
    runs, _ = make_synthetic("r-mem", "wmem_mb", (256, 384, 512))
    converged = [
        end("plain", "converged", 384),
        end("optuna", "not converged", None, reason="maximum reached"),
        end("plain", "converged", 256, testbed="elsewhere"),
        end("plain", "converged", 256, sampler="random"),
    ]
    figure = resource(runs, "r-mem", converged)
    here = runs[(runs["sut"] == "plain") & (runs["wmem_mb"] == 384)]
    median = here["jct_ms"].median() / 1e3
    assert rings(figure.axes[3]) == {(mark("plain").colour, 384.0, median)}
    text = words(figure)
    assert "converged step" in text and "optuna: not converged (maximum reached)" in text
    assert "converged step" not in words(resource(runs, "r-mem"))
    assert "demonstration" not in text
    scouted = {"scouted": [[256.0, 2500.0], [512.0, None]]}
    ahead = words(resource(runs, "r-mem", [end("plain", "converged", 384) | scouted]))
    assert "scouted, not counted: plain: 256: 2.5 s, 512: none." in " ".join(ahead.split())
    elsewhere = [end("plain", "converged", 999, demonstration=True)]
    figure = resource(runs, "r-mem", elsewhere)
    assert rings(figure.axes[3]) == set() and "demonstration only" in words(figure)


def test_what_could_not_be_run_has_a_place_and_a_reason(make_synthetic):
    runs, _ = make_synthetic("r-acl", "accelerator", ("cpu", "gpu"))
    runs["treatment"] = "workers.accelerator=" + runs["treatment"]
    nowhere = [
        absent(None, "workers.accelerator=tpu", "there is no TPU here"),
        absent("ray", None, "ray cannot run here: no"),
    ]
    figure = resource(runs, "r-acl", [], nowhere)
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert ticks == ["cpu", "gpu", "tpu\n(not available)"]
    assert "tpu: there is no TPU here" in words(figure)
    numbers, _ = make_synthetic()
    assert not curves(figure.axes[0]) and curves(resource(numbers, "r-node").axes[0])
    ray = [absent("ray", None, "no Java")]
    assert "ray: no Java" in words(resource(numbers, "r-node", [], ray))
    assert "no Java" in words(resource(numbers.iloc[:0], "r-node", [], ray))


def curves(axes) -> list:
    """The lines from treatment to treatment."""
    return [line for line in axes.lines if len(set(line.get_xdata())) > 1]


def marks(axes, size) -> set:
    """(colour, x) of what stands on the axis."""
    return {(mark(sut).colour, x) for sut in SUTS for x, _ in drawn(axes, sut, size)}


def test_failed_runs_have_a_mark_of_their_own_and_are_not_averaged(make_synthetic):
    runs, _ = make_synthetic()
    whole = (runs["sut"] == "plain") & (runs["wn"] == 2)
    one = runs.index[(runs["sut"] == "optuna") & (runs["wn"] == 8)][:1]
    for where in (whole, one):
        runs.loc[where, ["status", "reason"]] = ["failed", "the disk was full"]
        runs.loc[where, ["ept_kwh", "twh_kwh", "oc", "jct_ms"]] = np.nan
    figure = resource(runs, "r-node")
    for axes in figure.axes:
        assert marks(axes, 6) == {(mark("plain").colour, 2.0), (mark("optuna").colour, 8.0)}
        assert not marks(axes, 4.5)
    text = words(figure).replace("\n", " ")
    assert "failed: not known" in text and "n = 2–3" in text
    assert "4 runs failed and are not counted. plain, 2 workers (×3), optuna, 8 workers" in text
    assert "the disk was full" in text
    assert "failed" not in words(resource(make_synthetic()[0], "r-node"))


def test_the_converged_step_is_that_of_the_groups_own_sampler(make_synthetic):
    runs, _ = make_synthetic("r-mem", "wmem_mb", (256, 384, 512), ("plain",))
    again = runs.assign(sampler="random", jct_ms=9e4)
    both = pd.concat([runs, again], ignore_index=True)
    ends = [end("plain", "converged", 512, "random"), end("plain", "undecided", None, "grid")]
    figure = resource(both, "r-mem", ends)
    assert rings(figure.axes[3]) == {(mark("plain").colour, 512.0, 90.0)}
    assert "plain (grid): undecided" in words(figure)


def test_a_control_with_two_samplers_is_two_lines(make_synthetic):
    runs, _ = make_synthetic()
    again = runs[runs["sut"] == "plain"].assign(sampler="random", jct_ms=9e4)
    figure = resource(pd.concat([runs, again], ignore_index=True), "r-node")
    text = words(figure)
    assert "plain (grid)" in text and "plain (random)" in text
    medians = {y for _, y in drawn(figure.axes[3], "plain", 4)}
    assert 90.0 in medians and len(medians) == 5


def test_an_experiment_of_the_users_own_is_labelled_by_what_varies(make_synthetic):
    runs, _ = make_synthetic("my-memory", "wmem_mb", (512, 1024))
    text = words(resource(runs, "my-memory"))
    assert "my-memory" in text and "memory per worker (MB; 4 workers" in text


def test_the_label_of_a_treatment_tells_what_varies_where_columns_do_not(make_synthetic):
    runs, _ = make_synthetic("frameworks", "wn", (1, 2), ("plain", "hyperopt"))
    runs["treatment"] = "workers.count=" + runs["wn"].astype(str)
    runs.loc[runs["sut"] == "hyperopt", "sampler"] = "random"
    assert "workers (0.5 core each)" in words(resource(runs, "frameworks"))


def test_samplers_and_testbeds_are_named_where_they_differ(make_synthetic):
    runs, _ = make_synthetic(suts=("plain", "hyperopt"))
    runs.loc[runs["sut"] == "hyperopt", "sampler"] = "random"
    assert "hyperopt (random)" in words(resource(runs, "r-node"))
    both = pd.concat([runs, runs.assign(testbed="cluster")], ignore_index=True)
    assert "hyperopt (random; cluster)" in words(resource(both, "r-node"))


@pytest.mark.parametrize("treatments", [(4,), (1, 2, 4, 8, 16, 32, 64), tuple(range(1, 40))])
def test_few_and_many_treatments(make_synthetic, treatments):
    runs, _ = make_synthetic(values=treatments, repetitions=1)
    figure = resource(runs, "r-node")
    assert "n = 1" in words(figure)
    assert len(figure.axes[0].get_xticks()) <= 9


def test_unknown_energy_says_so_and_is_not_zero(make_synthetic):
    runs, _ = make_synthetic()
    runs[["ept_kwh", "twh_kwh"]] = np.nan
    runs["energy_method"] = ""
    figure = resource(runs, "r-node")
    text = words(figure)
    assert text.count("not on record") == 2 and "method unknown" in text
    assert drawn(figure.axes[0], "plain", 4) == set()


def test_no_data(make_synthetic):
    runs, _ = make_synthetic()
    assert "No data" in words(resource(runs.iloc[:0], "r-node"))
    runs["status"] = "infeasible"
    runs[["ept_kwh", "twh_kwh", "oc", "jct_ms"]] = np.nan
    assert "not on record" in words(resource(runs, "r-node"))


def test_legend_and_labels_lie_inside_the_figure_and_not_over_panels(make_synthetic):
    runs, _ = make_synthetic(
        "r-mem", "wmem_mb", (256, 384, 512), ("plain", "optuna", "ray", "hyperopt"), 2
    )
    runs.loc[runs["sut"] == "hyperopt", "sampler"] = "random"
    runs.loc[runs.index[0], "status"] = "deadline"
    figure = resource(runs, "r-mem")
    words(figure)
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    for axes in figure.axes:
        assert axes.get_tightbbox().y1 <= box.y0 + 1
        assert axes.get_tightbbox().x0 >= 0
