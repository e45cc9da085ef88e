"""Train and validation indices of the training images, stratified and seeded."""

from __future__ import annotations

from trialwatt.errors import TrialwattError


def validation_counts(per_class: tuple[int, ...], share: float) -> list[int]:
    """How many images of each class the validation split takes.

    Raises TrialwattError where a class would be left without a training or validation image.
    """
    counts = [round(n * share) for n in per_class]
    for label, (taken, n) in enumerate(zip(counts, per_class, strict=True)):
        if taken == 0 or taken == n:
            part = "validation" if taken == 0 else "training"
            raise TrialwattError(
                f"validation_share {share:g} leaves class {label} ({n} images) without a "
                f"{part} image; choose another share"
            )
    return counts


def split(labels, per_class: tuple[int, ...], share: float, seed: int):
    """(train, validation) index tensors, int64, each sorted: the same for every trial of a job."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    counts = validation_counts(per_class, share)
    train, validation = [], []
    for label, taken in enumerate(counts):
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        validation.append(members[:taken])
        train.append(members[taken:])
    return torch.cat(train).sort().values, torch.cat(validation).sort().values
