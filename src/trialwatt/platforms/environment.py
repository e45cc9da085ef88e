"""What of a user's environment a component gets: what is listed here, and nothing else.

Any variable can change what is measured (OMP_PROC_BIND puts all workers on one core) or whom a
component asks (http_proxy sends a driver's questions to its own master away), without a word. So
a component's environment is built of what it needs to work; what was left out is on record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trialwatt.printable import shown

KEPT = frozenset(
    [
        # the user, the shell's places, language and time
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LANGUAGE", "TZ", "TZDIR"),
        # where libraries and programs are
        *("LD_LIBRARY_PATH", "LOCALE_ARCHIVE", "NIX_LD", "NIX_LD_LIBRARY_PATH", "JAVA_HOME"),
        # the Python of the coordinator, with all that it imports: both run the same code
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONSAFEPATH"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
        # accelerators: which there are, and where their libraries are
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH"),
        *("CUDA_CACHE_PATH", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
        *("ROCM_PATH", "ROCM_HOME", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
        *("HSA_OVERRIDE_GFX_VERSION", "PJRT_DEVICE"),
        # without these some processors cannot compute, or not right
        *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
        # whom to trust
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        # the user's systemd, which makes control groups
        *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
        *("TRIALWATT_DATA", "TRIALWATT_RUNTIME_DIR"),
    ]
)
KEPT_FAMILIES = ("LC_", "TPU_")
THREADS = ("OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "NUMEXPR_", "VECLIB_", "GOTO_", "TBB_")
"""How threads are made and where they run: that is the allotment's, and no user's."""
_TOLD = (*THREADS, "OPENBLAS_", "TORCH_", "LANG", "LC_", "TZ", "CUDA_VISIBLE", "PYTHONHASHSEED")
"""Beginnings of names whose values are no secret and no place of a machine."""
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_NAME_LETTERS, _VALUE_LETTERS = 100, 200


def is_of_threads(name: str) -> bool:
    """Whether the variable says how many threads there are, or where they run."""
    return name.startswith(THREADS) or name.endswith("_NUM_THREADS")


def thread_environment(cpu: float) -> dict[str, str]:
    """Variables that keep the libraries of a process to as many threads as it has whole cores,
    wherever the system lets them run: what limits them is the component's group."""
    count = str(max(1, math.floor(cpu)))
    return dict.fromkeys(_THREAD_COUNTS, count) | {"OMP_PROC_BIND": "false"}


@dataclass(frozen=True)
class Inherited:
    """A user's environment, divided: what components get, and what they do not."""

    kept: Mapping[str, str]
    left_out: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str], more: Iterable[str] = ()) -> Inherited:
        """more: names that the testbed lists besides (`environment`)."""
        wanted = {*more}
        kept = {name: text for name, text in environment.items() if _is_kept(name, wanted)}
        left_out = {name: text for name, text in environment.items() if name not in kept}
        return cls(kept, left_out)

    @property
    def facts(self) -> dict[str, dict[str, str | None]]:
        """For the manifest: kept and left_out, name → value; null where that may be a secret or
        a place of this machine."""
        return {"kept": told(self.kept), "left_out": told(self.left_out)}


def told(variables: Mapping[str, str]) -> dict[str, str | None]:
    """The names, with the values that may be shown."""
    return {
        shown(name, _NAME_LETTERS): shown(text, _VALUE_LETTERS) if name.startswith(_TOLD) else None
        for name, text in sorted(variables.items())
    }


def _is_kept(name: str, more: set[str]) -> bool:
    return name in KEPT or name.startswith(KEPT_FAMILIES) or name in more
