"""Where tensors live, and all that differs between devices. The training code is one.

A TPU is reached through torch_tpu or torch_xla, whichever is installed. torch_xla is lazy: it
records operations and runs them when told to, which `send` and `wait` do.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

from trialwatt.errors import TrialwattError

XLA_HARDWARE = ("TPU",)
"""What torch_xla's device must be. Its stand-in on the CPU is for tests, it is no accelerator."""


_NO_CUDA = (
    "accelerator gpu: torch {} is a build without CUDA; install a CUDA build of the same version, "
    "or use accelerator cpu"
)
_NO_TPU_PACKAGE = (
    "accelerator tpu: neither torch_tpu nor torch_xla is installed; install the one that fits the "
    "installed torch (torch_tpu: 2.11 and newer; torch_xla 2.9: 2.9)"
)


def device_of(accelerator: str):
    """The torch device of a worker. Raises TrialwattError naming what is missing."""
    if accelerator not in _DEVICES:
        raise TrialwattError(f"accelerator {accelerator}: there are: {', '.join(_DEVICES)}")
    return _DEVICES[accelerator]()


@functools.cache
def device_problem(accelerator: str) -> str:
    """Why this machine cannot serve an accelerator type; empty if it can.

    Asked in a process of its own: a TPU belongs to the first process that touches it, and the
    one that asks is not the one that will train. For "cpu" nothing is imported.
    """
    if accelerator == "cpu":
        return ""
    if problem := _obvious_problem(accelerator):
        return problem
    command = [sys.executable, "-m", __name__, accelerator]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"accelerator {accelerator}: torch fails where it looks for one: {last}"


def _obvious_problem(accelerator: str) -> str:
    """What the installed packages tell already, so that planning need not wait for torch."""
    build = version("torch")
    if accelerator == "gpu" and build.endswith("+cpu"):
        return _NO_CUDA.format(build)
    if accelerator == "tpu" and not (find_spec("torch_tpu") or find_spec("torch_xla")):
        return _NO_TPU_PACKAGE
    return ""


def fuses(device) -> bool:
    """Whether torch's fused optimizers (one kernel for all of a step) run there."""
    return device.type in ("cpu", "cuda")


def parts(tensor, size: int):
    """A tensor split into parts of `size` rows, the last of which may be smaller.

    They are sent at once: torch_xla 2.9 aborts where it must gather by a part that it has yet to
    compute.
    """
    split = tensor.split(size)
    send(tensor.device)
    return split


def send(device) -> None:
    """Hand a step's operations to the device, without waiting for them."""
    if device.type == "xla":
        import torch_xla

        torch_xla.sync()


def wait(device) -> None:
    """Return when the device has done all that it was told."""
    if device.type == "xla":
        import torch_xla

        torch_xla.sync(wait=True)
    elif device.type != "cpu":
        import torch

        torch.accelerator.synchronize()


def _cpu():
    import torch

    return torch.device("cpu")


def _gpu():
    import torch

    if torch.version.cuda is None:
        raise TrialwattError(_NO_CUDA.format(torch.__version__))
    if not torch.cuda.is_available():
        raise TrialwattError(
            f"accelerator gpu: torch {torch.__version__} sees no CUDA device; check the driver "
            "with nvidia-smi, or use accelerator cpu"
        )
    return torch.device("cuda", torch.cuda.current_device())


def _tpu():
    if find_spec("torch_tpu"):
        return _through_torch_tpu()
    if find_spec("torch_xla"):
        return _through_torch_xla()
    raise TrialwattError(_NO_TPU_PACKAGE)


def _through_torch_tpu():
    import torch
    import torch_tpu  # noqa: F401  (registers the device type)

    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None or found.type != "tpu":
        raise TrialwattError("accelerator tpu: torch_tpu sees no TPU; use accelerator cpu")
    return torch.device("tpu")


def _through_torch_xla():
    import torch_xla
    from torch_xla import runtime

    if runtime.device_type() not in XLA_HARDWARE:
        raise TrialwattError(
            f"accelerator tpu: torch_xla's device is {runtime.device_type()}, not a TPU; "
            "on a TPU machine set PJRT_DEVICE=TPU, else use accelerator cpu"
        )
    return torch_xla.device()


_DEVICES = {"cpu": _cpu, "gpu": _gpu, "tpu": _tpu}


def _print_problem(accelerator: str) -> None:
    try:
        device_of(accelerator)
    except TrialwattError as error:
        print(error)


if __name__ == "__main__":
    _print_problem(sys.argv[1])
