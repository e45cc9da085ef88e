"""Which accelerators this machine has, and what holds a process to one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trialwatt.config.models import BoardPower
from trialwatt.errors import TrialwattError
from trialwatt.meters.base import accelerator_domain

HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}
"""Environment of a process that is to see no accelerator."""


@dataclass(frozen=True)
class Seat:
    """What one process can compute on: a device, or an instance of one that MIG divides.

    device: the domain under which meters know it. variables: the environment of a process that is
    to see this and nothing else.
    """

    device: str
    variables: Mapping[str, str]
    can_be_shared: bool = True


def seats(kind: str, boards: BoardPower | None = None) -> list[Seat]:
    """All seats of this machine for an accelerator type ("gpu" or "tpu"), in the order of use.

    boards: what the testbed says of the boards, which counts where the machine does not tell its
    devices. CUDA_VISIBLE_DEVICES of this process is respected; its numbers are those of nvidia-smi.
    Raises TrialwattError where there is no seat.
    """
    found = _gpus() if kind == "gpu" else _tpus()
    if not found and boards is not None and boards.kind == kind:
        found = [_numbered(kind, index) for index in range(boards.devices)]
    if kind == "gpu":
        found = _visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not found:
        raise TrialwattError(
            f"accelerator {kind}: no device of this machine can be named and given to a worker; "
            "check nvidia-smi and CUDA_VISIBLE_DEVICES, or tell the testbed's "
            "accelerator_board_w how many there are"
        )
    return found


def seat_of(kind: str, found: list[Seat], worker: int) -> Seat:
    """The seat of a worker, by its index: one each while there are enough, else round robin.

    Raises TrialwattError where it would have to share one that cannot be shared.
    """
    seat = found[worker % len(found)]
    if worker >= len(found) and not seat.can_be_shared:
        raise TrialwattError(
            f"accelerator {kind}: there are {len(found)}, each belongs to one process, and "
            f"worker-{worker} is one too many: lower workers.count"
        )
    return seat


def _numbered(kind: str, index: int) -> Seat:
    name = accelerator_domain(kind, index)
    if kind == "gpu":
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # as nvidia-smi and the meters number them
        return Seat(name, {"CUDA_VISIBLE_DEVICES": str(index)} | order)
    bounds = {"TPU_PROCESS_BOUNDS": "1,1,1", "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1"}
    return Seat(name, {"TPU_VISIBLE_CHIPS": str(index)} | bounds, can_be_shared=False)


def _tpus() -> list[Seat]:
    chips = list(Path("/dev").glob("accel[0-9]*"))
    return [_numbered("tpu", index) for index in range(len(chips))]


def _gpus() -> list[Seat]:
    """By their unique ids, as CUDA may number them in another order than NVML.

    Instances of divided devices come one of each device at a time, so that few workers spread.
    """
    try:
        import pynvml as nvml
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []  # no driver
    try:
        found = []
        for index in range(nvml.nvmlDeviceGetCount()):
            name = accelerator_domain("gpu", index)
            for place, uuid in enumerate(_uuids(nvml, index)):
                found.append((place, index, Seat(name, {"CUDA_VISIBLE_DEVICES": uuid})))
        return [seat for _, _, seat in sorted(found, key=lambda each: each[:2])]
    except nvml.NVMLError as error:
        raise TrialwattError(f"accelerator gpu: the devices cannot be listed ({error})") from error
    finally:
        nvml.nvmlShutdown()


def _uuids(nvml, index: int) -> list[str]:
    """Of a device, or of its instances where MIG divides it; none where it is lost."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        own = nvml.nvmlDeviceGetUUID(handle)
    except nvml.NVMLError:
        return []  # the meter's probe names it
    try:
        divided = nvml.nvmlDeviceGetMigMode(handle)[0] == 1
    except nvml.NVMLError:
        divided = False  # devices that know no MIG
    if not divided:
        return [own]
    found = []
    for instance in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, instance)
        except nvml.NVMLError:
            continue  # fewer instances than there could be
        found.append(nvml.nvmlDeviceGetUUID(part))
    return found


def _visible(found: list[Seat], allowed: str | None) -> list[Seat]:
    """Those that this process may use itself: numbers, or beginnings of unique ids."""
    if allowed is None:
        return found
    chosen = []
    for token in (part.strip() for part in allowed.split(",")):
        if token.isdigit():
            chosen += [s for s in found if s.device == accelerator_domain("gpu", int(token))]
        elif token:
            chosen += [s for s in found if s.variables["CUDA_VISIBLE_DEVICES"].startswith(token)]
    return [seat for place, seat in enumerate(chosen) if seat not in chosen[:place]]
