"""Only complete blocks of one plan are compared."""

import pandas as pd
import pytest

from trialwatt.analysis.blocks import complete_blocks


def rows(blocks, hashes, plan="one", size=None, testbed="here", experiment="e"):
    return pd.DataFrame(
        [
            {
                **{"testbed": testbed, "hash": name, "repetition": block, "experiment": experiment},
                **{"block": block, "block_plan": plan, "block_runs": size or len(hashes)},
            }
            for block in blocks
            for name in hashes
        ]
    )


def table(*parts):
    return pd.concat(parts, ignore_index=True)


def held(found):
    return {int(block): "".join(sorted(own.hash)) for block, own in found.groupby("block")}


def test_complete_blocks_are_all_there():
    runs = rows([1, 2, 3], "abc")
    found, said = complete_blocks(runs)
    assert found.equals(runs) and said == []


def test_a_block_that_was_cut_off_is_left_out_and_said():
    found, said = complete_blocks(table(rows([1, 2], "abc"), rows([3], "ab", size=3)))
    assert held(found) == {1: "abc", 2: "abc"}
    assert said == ["here: 2 runs of block 3 left out: not complete"]


def test_a_plan_that_changed_between_blocks_is_not_mixed():
    """After block 3, b gave way to c; c was then run in blocks 1 to 3, too, but later."""
    found, said = complete_blocks(
        table(rows([1, 2, 3], "ab", "old"), rows([1, 2, 3], "c", "new", 2), rows([4], "ac", "new"))
    )
    assert held(found) == {1: "ab", 2: "ab", 3: "ab"}
    (sentence,) = said
    assert "5 runs of blocks 1, 2, 3, 4 left out: they ran under another plan (new)" in sentence
    assert "only complete blocks of one plan (old)" in sentence


def test_the_plan_with_the_most_complete_blocks_is_taken():
    found, _ = complete_blocks(
        table(rows([1], "ab", "old"), rows([2], "a", "old", 2), rows([3, 4], "ac", "new"))
    )
    assert held(found) == {3: "ac", 4: "ac"}


def test_a_sweep_that_grew_keeps_its_earlier_blocks():
    runs = table(rows([1, 2], "ad", size=9), rows([3, 4], "abcd", size=11))
    found, said = complete_blocks(runs)
    assert len(found) == len(runs) and said == []


def test_each_testbed_has_its_own_plan():
    runs = table(rows([1, 2], "ab", "x"), rows([1, 2], "cd", "y", testbed="there"))
    found, said = complete_blocks(runs)
    assert len(found) == len(runs) and said == []


def test_a_run_of_several_experiments_counts_once():
    runs = table(rows([1, 2], "ab"), rows([1, 2], "a", size=2, experiment="f"))
    assert len(complete_blocks(runs)[0]) == len(runs)


@pytest.mark.parametrize("columns", [["block", "block_plan", "block_runs"], []])
def test_older_tables_have_their_repetitions_as_blocks(columns):
    runs = rows([1, 2], "ab").drop(columns=columns or ["block_plan", "block_runs"])
    if not columns:
        runs["block"] = float("nan")
    found, said = complete_blocks(runs)
    assert held(found) == {1: "ab", 2: "ab"} and said == []


def test_nothing_of_nothing():
    found, said = complete_blocks(rows([1], "a").iloc[:0])
    assert found.empty and said == []
