"""What a process that reads a stranger's results must not do: start programs, open connections,
import what measures, take all of the machine. It holds for this process and those that it forks."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

from trialwatt.review.sealing import seal

BLOCKED = (
    "torch",
    "torchvision",
    "torch_tpu",
    "torch_xla",
    "optuna",
    "hyperopt",
    "ray",
    "pyspark",
    "kubernetes",
    "snakemake",
)
"""Frameworks and cluster clients: results must be made again without them."""
_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")


@dataclass(frozen=True)
class Limits:
    """What a process that reads results may take at most, and each that it forks.

    seconds: of CPU time. memory_bytes: of its own, shared libraries not counted.
    """

    seconds: int
    memory_bytes: int
    file_bytes: int


class _Missing:
    """Finds none of the blocked modules, as if they were not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not to be had in a verification", name=name)


def confine(limits: Limits) -> None:
    """From now on nothing of BLOCKED can be imported, no program or connection be started, and no
    more be taken than the limits allow."""
    loaded = [name for name in BLOCKED if name in sys.modules]
    assert not loaded, f"imported before the verification began: {', '.join(loaded)}"
    sys.meta_path.insert(0, _Missing())
    sys.addaudithook(_refuse)
    for kind, most in (
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    seal()  # where the kernel has no filter, the hook stands alone, and no paper is compiled


def _refuse(event: str, arguments: tuple) -> None:
    if event in _FORBIDDEN or event == "socket.connect":
        raise PermissionError(f"{event} is not allowed in a verification")
