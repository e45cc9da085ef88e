import json

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from trialwatt.config.identity import canonical_json
from trialwatt.config.models import Space
from trialwatt.records.phi import encode_phis

SPACE = TypeAdapter(Space).validate_python(
    {
        "lr": {"low": 0.001, "high": 0.1, "log": True},
        "ls": {"low": 16, "high": 64},
        "name": {"choices": ["a,b", 'c"d', True, 0.5, 1]},
    }
)


@pytest.mark.parametrize(
    "phi",
    [
        {"lr": 1e-05, "ls": 32, "name": "a,b"},
        {"name": 'c"d', "ls": 32.0, "lr": 0.1},
        {"lr": 0.03, "ls": 16, "name": True},
        {"lr": 0.03, "ls": 16, "name": 1.0},
    ],
)
def test_a_phi_is_canonical_whatever_it_was_written_like(phi):
    texts = [json.dumps(phi), json.dumps(phi, separators=(",", ":"), sort_keys=True)]
    codes, phis = encode_phis(pa.chunked_array([texts]), SPACE)
    expected = phi | {"ls": int(phi["ls"])}
    if phi["name"] == 1.0 and not isinstance(phi["name"], bool):
        expected["name"] = 1
    assert phis.to_pylist() == [canonical_json(expected)]
    assert codes.tolist() == [0, 0]


def test_a_float_space_is_taken_as_written():
    space = TypeAdapter(Space).validate_python({"lr": {"low": 0.001, "high": 0.1}})
    written = ['{"lr":0.02}', '{"lr":0.03}', '{"lr":0.02}']
    codes, phis = encode_phis(pa.chunked_array([written]), space)
    assert codes.tolist() == [0, 1, 0]
    assert phis.to_pylist() == ['{"lr":0.02}', '{"lr":0.03}']


def test_a_phi_is_canonical_whatever_its_conditions_leave_out():
    deep = {"choices": [1, 2], "when": {"kind": ["tree"]}}
    kind = {"choices": ["tree", "line"]}
    space = TypeAdapter(Space).validate_python({"kind": kind, "a": deep, "z": deep})
    phis = [{"kind": "line"}, {"a": 1, "kind": "tree", "z": 2}, {"z": 2.0, "kind": "tree", "a": 1}]
    codes, found = encode_phis(pa.chunked_array([[json.dumps(phi) for phi in phis]]), space)
    assert found.to_pylist() == ['{"kind":"line"}', '{"a":1,"kind":"tree","z":2}']
    assert codes.tolist() == [0, 1, 1]


def test_a_text_is_read_also_where_conditions_make_phis_of_different_names():
    deep = {"low": 0.5, "high": 1.5, "when": {"kind": ["tree"]}}
    kind = {"choices": ["tree", "line"]}
    space = TypeAdapter(Space).validate_python({"deep": deep, "kind": kind})
    written = ['{"kind":"line"}', '{ "kind": "line" }', '{"kind":"tree","deep":0.75}']
    codes, found = encode_phis(pa.chunked_array([written]), space)
    assert found.to_pylist() == ['{"kind":"line"}', '{"deep":0.75,"kind":"tree"}']
    assert codes.tolist() == [0, 0, 1]
