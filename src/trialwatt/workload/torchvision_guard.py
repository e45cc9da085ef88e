"""Import torchvision's datasets beside a CPU build of torch."""

from __future__ import annotations

import functools
from types import ModuleType


@functools.cache
def torchvision_datasets() -> ModuleType:
    """torchvision.datasets, even where torchvision's compiled operators cannot be loaded.

    The wheel's operators (nms, roi_align, …) are built against one build of torch. Beside
    another, `import torchvision` fails with "operator torchvision::nms does not exist" as soon as
    it registers their shape functions, although the dataset classes use none of them. So, for the
    time of the import only, these registrations are passed over; everything else is left alone.
    """
    import torch

    real = torch.library.register_fake

    def register(op, *args, **kwargs):
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return real(op, *args, **kwargs)

    torch.library.register_fake = register
    try:
        import torchvision.datasets
    finally:
        torch.library.register_fake = real
    return torchvision.datasets
