import json
import random

import pytest
from tests.fuzz import all_clean, mutations, wrong_json

from trialwatt.errors import TrialwattError
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE, read_notes, write_notes

END = {"sut": "plain", "sampler": "grid", "testbed": "t", "state": "converged", "reason": "x"}
LACKING = {"sut": "ray", "treatment": None, "reason": "not installed"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "end.json").write_text(json.dumps(END))
    write_notes(tmp_path, [str(tmp_path / "end.json")], [LACKING])
    return tmp_path


def test_what_was_written_is_read(folder):
    assert read_notes(folder / CONVERGENCE) == [END]
    assert read_notes(folder / UNAVAILABLE) == [LACKING]


@pytest.mark.parametrize("name", [CONVERGENCE, UNAVAILABLE])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sweeps": 5, "unavailable": [{"sut": 5}]}'])
def test_a_damaged_file_is_named_and_how_it_is_made_again(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(TrialwattError, match=rf"{name}: .*") as caught:
        read_notes(folder / name)
    assert "damaged" in str(caught.value)


def test_a_damaged_end_of_a_sweep_is_not_taken_over(folder):
    (folder / "end.json").write_text('{"sut": "plain"}')
    with pytest.raises(TrialwattError, match=r"end\.json: damaged: sampler: Field required"):
        write_notes(folder, [str(folder / "end.json")], [])


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [CONVERGENCE, UNAVAILABLE])
def test_damaged_files_are_refused_in_words(folder, name, count):
    rng, file = random.Random(count), folder / name
    good = file.read_bytes()

    def read(data):
        file.write_bytes(data)
        assert all(isinstance(entry.get("reason", ""), str) for entry in read_notes(file))

    wrong = (json.dumps(wrong_json(json.loads(good), rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))
