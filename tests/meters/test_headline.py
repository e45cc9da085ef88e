"""Which domains the figures add up: the machine once, and accelerators where they are held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.meters.base import Domain, MeterError
from trialwatt.meters.choose import headline_domains

PACKAGE = Domain("package-0", "cpu", "uj", "counter", 1000)
DRAM = Domain("dram-0", "memory", "uj", "counter", 1000)
PSYS = Domain("psys", "cpu", "uj", "counter", 1000, counts=False)
GPU = Domain("gpu-0", "accelerator", "uj", "counter")
CPU, MEMORY = Domain("cpu", "cpu", "w", "modelled"), Domain("memory", "memory", "w", "modelled")
BOARD = Domain("gpu-0", "accelerator", "w", "modelled")
RAPL, NVML, MODEL = (PACKAGE, DRAM, PSYS), (GPU,), (CPU, MEMORY, BOARD)


@pytest.mark.parametrize(
    ("meters", "accelerators", "chosen"),
    [
        ({"rapl": RAPL, "model": MODEL}, False, {"rapl": ["package-0", "dram-0"]}),
        (
            {"rapl": RAPL, "nvml": NVML, "model": MODEL},
            True,
            {"rapl": ["package-0", "dram-0"], "nvml": ["gpu-0"]},
        ),
        # accelerators first in the list: not mistaken for the machine
        ({"nvml": NVML, "model": MODEL}, False, {"model": ["cpu", "memory"]}),
        ({"nvml": NVML, "model": MODEL}, True, {"model": ["cpu", "memory"], "nvml": ["gpu-0"]}),
        # the model's boards only where they are held, and never beside a counter's
        (
            {"rapl": RAPL, "model": MODEL},
            True,
            {"rapl": ["package-0", "dram-0"], "model": ["gpu-0"]},
        ),
        ({"model": MODEL, "nvml": NVML}, True, {"model": ["cpu", "memory", "gpu-0"]}),
        ({"model": (CPU, MEMORY)}, True, {"model": ["cpu", "memory"]}),
        # a meter of memory alone is no headline
        ({"dimm": (DRAM,), "model": MODEL}, False, {"model": ["cpu", "memory"]}),
    ],
)
def test_one_meter_for_the_machine_and_one_for_accelerators(meters, accelerators, chosen):
    assert headline_domains(meters, accelerators) == chosen


@pytest.mark.parametrize("meters", [{"nvml": NVML}, {"psys": (PSYS,)}, {"dimm": (DRAM,)}])
def test_a_job_without_processors_is_refused(meters):
    with pytest.raises(MeterError, match="Add `model`"):
        headline_domains(meters, True)


def test_two_domains_of_one_name_are_refused():
    same = Domain("package-0", "accelerator", "w", "polled")
    with pytest.raises(MeterError, match=r"rapl and odd have domains of the same name"):
        headline_domains({"rapl": RAPL, "odd": (same,)}, True)


@given(
    st.permutations(["rapl", "nvml", "model"]),
    st.sets(st.sampled_from(["rapl", "nvml", "model"]), min_size=1),
    st.booleans(),
)
def test_no_resource_is_ever_counted_by_two_meters(order, there, accelerators):
    domains = {"rapl": RAPL, "nvml": NVML, "model": MODEL}
    meters = {name: domains[name] for name in order if name in there}
    if there == {"nvml"}:
        return
    chosen = headline_domains(meters, accelerators)
    counted = [
        (d.resource == "accelerator", meter)
        for meter, names in chosen.items()
        for d in domains[meter]
        if d.name in names
    ]
    for part in (True, False):
        assert len({meter for is_board, meter in counted if is_board == part}) <= 1
    assert any(is_board for is_board, _ in counted) == (accelerators and there != {"rapl"})
