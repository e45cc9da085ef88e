"""What is not in the data is said, shortly, by every figure and table."""

import inspect

import numpy as np
import pytest
from tests.figures.drawn import words

from trialwatt.figures import FIGURES, treatments
from trialwatt.figures.absent import absences, failures, grouped, not_here
from trialwatt.figures.best import best_table, readable_best
from trialwatt.figures.tables import readable, results_table


def lacks(sut, *names, kind="sampler", has="grid or random"):
    """Entries of unavailable.json as the plan makes them."""
    return [
        {
            "sut": sut,
            "treatment": f"search.{kind}={name}",
            "reason": f'{sut} offers no {kind} "{name}"; it has: {has}',
        }
        for name in names
    ]


def test_many_strategies_of_one_sut_become_one_sentence():
    entries = [*lacks("plain", "tpe", "gp"), *lacks("ray", "tpe"), *lacks("plain", "mix")]
    found = grouped(entries)
    assert [(each.sut, each.treatments) for each in found] == [
        ("plain", ("tpe", "gp", "mix")),
        ("ray", ("tpe",)),
    ]
    assert found[0].sentence == "plain offers no sampler tpe, gp, mix; it has: grid or random"
    assert not_here(entries) == (
        "Not available here. plain offers no sampler tpe, gp, mix; ray offers no sampler tpe."
    )


def test_a_reason_that_names_its_treatment_does_not_have_it_named_before_it():
    gone = {
        "sut": None,
        "treatment": "workers.accelerator=gpu",
        "reason": "accelerator gpu: no GPU",
    }
    [found] = grouped([gone])
    assert found.treatments == ("gpu",)
    assert found.sentence == "accelerator gpu: no GPU"


def test_a_reason_that_several_treatments_share_is_said_once():
    entries = [
        {
            "sut": "plain",
            "treatment": f"space={space}, search.sampler=tpe, search.budget=24",
            "reason": 'plain offers no sampler "tpe"; it has: grid or random',
        }
        for space in ("ff-6", "ff-12", "ff-96")
    ]
    (found,) = grouped(entries)
    assert found.sentence == "plain offers no sampler tpe; it has: grid or random"
    assert len(found.treatments) == 3


def test_what_nobody_can_run_and_a_sut_that_is_not_there():
    entries = [
        {"sut": None, "treatment": "workers.accelerator=tpu", "reason": "no TPU here."},
        {"sut": "hyperopt", "treatment": None, "reason": "hyperopt cannot run here: no Java"},
        {"sut": "ray", "treatment": None, "reason": "no wheel"},
    ]
    assert [each.sentence for each in grouped(entries)] == [
        "tpu: no TPU here",
        "hyperopt cannot run here: no Java",
        "ray: no wheel",
    ]
    assert not_here([]) == ""


@pytest.fixture
def holed(make_search):
    """A search experiment in which all runs of one strategy failed, and one of another."""
    runs, trials, curves = make_search(offered={"plain": ("grid", "random"), "optuna": ("tpe",)})
    lost = runs["sampler"] == "random"
    lost |= runs.index == runs.index[-1]
    measured = runs.columns[runs.columns.get_loc("jct_ms") :].drop("currency")
    runs[measured] = runs[measured].astype(object).mask(lost, np.nan)
    runs = runs.infer_objects()
    runs.loc[lost, ["status", "reason"]] = ["failed", "the disk was full"]
    kept = runs.loc[~lost, "folder"]
    return runs, trials[trials["folder"].isin(kept)], curves[curves["folder"].isin(kept)]


def test_failures_name_place_number_and_reason(holed):
    said = failures(holed[0])
    assert said == (
        "4 runs failed and are not counted. plain, random (×3), optuna, tpe: the disk was full."
    )
    assert failures(holed[0].iloc[:2]) == ""
    one = failures(holed[0].iloc[-1:].assign(reason="x" * 50 + " " + "y" * 500))
    assert one.startswith("1 run failed and is not counted.") and one.endswith("….")
    assert absences(holed[0].iloc[:2], []) == ""


@pytest.mark.parametrize("name", [n for n in FIGURES if n != "timeline"])
def test_every_figure_says_both(holed, name, make_synthetic):
    runs, trials, curves = holed
    draw = FIGURES[name].load()
    given = {
        "runs": runs,
        "trials": trials,
        "curves": curves,
        "experiment": "s-sam",
        "converged": [],
        "unavailable": lacks("plain", "tpe", "gp"),
    }
    text = words(draw(**{name: given[name] for name in inspect.signature(draw).parameters}))
    text = " ".join(text.split())
    assert "4 runs failed and are not counted" in text and "the disk was full" in text
    assert "plain offers no sampler tpe, gp" in text


def test_rows_without_a_completed_run_say_what_became_of_them(holed):
    from trialwatt.figures.lifecycle import lifecycle
    from trialwatt.figures.waste import waste

    runs, trials, _ = holed
    for figure in (lifecycle(runs, trials, "s-sam"), waste(runs, "s-sam")):
        labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
        assert "plain, random" in labels
        assert [text.get_text() for text in figure.axes[0].texts].count("failed") == 1


def test_failed_runs_in_the_tables(holed):
    table = results_table(holed[0])
    here = table.set_index("treatment")
    assert list(here.loc[["grid", "random", "tpe"], "failed"]) == [0, 3, 1]
    assert list(here.loc[["grid", "random", "tpe"], "n"]) == [3, 0, 2]
    shown = readable(table).set_index("treatment")
    assert list(shown["n"]) == ["3", "0 (3 failed)", "2 (1 failed)"]
    assert shown.loc["random", "remark"] == "failed: the disk was full"
    assert shown.loc["grid", "remark"] == "" and shown.loc["random", "JCT (s)"] == "–"
    best = best_table(holed[0])
    assert list(best["failed"]) == [3, 1] and list(best["best_treatment"]) == ["grid", "tpe"]
    assert list(readable_best(best)["n"]) == ["3 (3 failed)", "2 (1 failed)"]


def test_what_cannot_be_run_has_a_row_of_dashes(holed):
    java = {"sut": "hyperopt", "treatment": None, "reason": "hyperopt cannot run here: no Java"}
    entries = [*lacks("plain", "tpe", "gp"), java]
    table = results_table(holed[0], entries)
    shown = readable(table)
    last = shown.iloc[-2:]
    assert list(last["SUT"]) == ["plain", "hyperopt"]
    assert list(last["treatment"]) == ["tpe, gp", "all"]
    assert set(last["n"]) == {"not available"} and set(last["JCT (s)"]) == {"–"}
    assert "no Java" in last["remark"].iloc[1]
    assert "sampler" not in shown  # it is the treatment
    best = readable_best(best_table(holed[0], entries))
    assert best["n"].iloc[-1] == "not available: hyperopt cannot run here: no Java"
    assert results_table(holed[0].iloc[:0], [java])["runs"].tolist() == [0]


def two_ways(make_search, suts=("plain", "optuna", "hyperopt")):
    """S-Phi: exhaustively, and by samplers with a budget of 24."""
    import pandas as pd

    parts = []
    for size in (6, 24, 96):
        arms = [(f"space=ff-{size}", "grid", size, ("plain", "optuna"))]
        arms += [(f"space=ff-{size}", "random", size, ("plain", "hyperopt"))]
        for sampler in ("random", "tpe"):
            label = f"space=ff-{size}, search.sampler={sampler}, search.budget=24"
            arms.append((label, sampler, 24, ("optuna", "hyperopt", "plain")))
        for label, sampler, budget, those in arms:
            both = sampler == "random" and budget == size == 24 and "budget" in label
            for sut in those:
                if sut not in suts or (sut == "plain" and sampler == "tpe"):
                    continue
                if both and sut in ("plain", "hyperopt"):
                    continue  # the same run as without a budget of its own
                runs, *_ = make_search("s-phi", "x", "x", {sut: (label,)})
                known = {
                    "varied": "space",
                    "treatment": label,
                    "sampler": sampler,
                    "pS": size,
                    "budget": budget,
                }
                folder = runs["folder"] + f"-{label}-{sampler}"
                parts.append(runs.assign(**known, x=None, folder=folder, treatment_value=np.nan))
    return pd.concat(parts, ignore_index=True)


def test_both_ways_of_s_phi_have_their_names(make_search):
    runs = two_ways(make_search)
    axis = treatments.axis(runs)
    names = list(dict.fromkeys(axis.names.values()))
    assert names == [
        *("6 points", "24 points", "96 points"),
        *("6 points, budget 24", "24 points, budget 24", "96 points, budget 24"),
    ]
    table = results_table(runs)
    assert not table.duplicated(["sut", "sampler", "treatment"]).any()
    assert (table["n"] == 3).all()
    alone = two_ways(make_search, ("optuna",))
    names = list(treatments.axis(alone).names.values())
    assert names[0] == "6 points, grid" and "96 points, tpe, budget 24" in names


def test_overhead_of_s_phi_compares_what_is_the_same_search(make_search):
    from trialwatt.figures.overhead import control

    runs = two_ways(make_search)
    controls = control(runs)
    for (sut, treatment, sampler), mine in runs.groupby(["sut", "treatment", "sampler"]):
        if sut == "plain":
            continue
        plains = runs.loc[controls(mine.index)]
        if sampler == "tpe":
            assert plains.empty
            continue
        assert len(plains) == 3, (sut, treatment)
        for column in ("sampler", "pS", "budget"):
            assert set(plains[column]) == set(mine[column])


def test_anytime_has_one_look_for_each_name(make_search):
    from trialwatt.figures.anytime import line_of_each

    lines = line_of_each(two_ways(make_search))
    looks = lines[["name", "colour", "dashes"]].drop_duplicates()
    assert looks["name"].is_unique and not looks[["colour", "dashes"]].duplicated().any()
    assert len(looks) == 6
