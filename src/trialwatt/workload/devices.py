"""Where tensors live: the device of a worker, by its accelerator type at."""

from __future__ import annotations

from trialwatt.errors import TrialwattError


def device_of(accelerator: str):
    """The torch device of a worker. Raises TrialwattError naming what is missing."""
    import torch

    if accelerator == "cpu":
        return torch.device("cpu")
    if accelerator == "gpu":
        if not torch.cuda.is_available():
            raise TrialwattError(
                "accelerator gpu: torch sees no CUDA device "
                f"(torch {torch.__version__}); use accelerator cpu or a machine with a GPU"
            )
        return torch.device("cuda", torch.cuda.current_device())
    raise TrialwattError(f"accelerator {accelerator}: no such device here")
