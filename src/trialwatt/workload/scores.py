"""Scores of a model on a split: accuracy and macro-F1 from one confusion matrix."""

from __future__ import annotations

import torch

from trialwatt.workload.devices import send

CHUNK = 1024
"""Images per forward pass: bounds the memory of a validation, at no cost in speed."""


@torch.no_grad()
def confusion(model, images, labels, index, facts) -> torch.Tensor:
    """(classes, classes) counts, true class in rows; `index` None means all images."""
    total = torch.zeros(facts.classes * facts.classes, dtype=torch.int64, device=images.device)
    count = len(images) if index is None else len(index)
    model.eval()
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        chosen = part if index is None else index[part]
        guess = model(images[chosen].mul(1 / facts.scale)).argmax(dim=1)
        pairs = labels[chosen].long() * facts.classes + guess
        total.scatter_add_(0, pairs, torch.ones_like(pairs))  # bincount would wait for the device
        send(images.device)
    model.train()
    return total.reshape(facts.classes, facts.classes)


def scores(matrix: torch.Tensor) -> dict[str, float]:
    """{"macro_f1", "accuracy"} of a confusion matrix, both in [0, 1].

    Macro-F1: mean over classes of 2·TP / (2·TP + FP + FN); a class that is neither present nor
    predicted counts as 0 (as in scikit-learn's f1_score with zero_division=0).
    """
    matrix = matrix.double().cpu()
    hits = matrix.diag()
    union = matrix.sum(dim=0) + matrix.sum(dim=1)
    f1 = torch.where(union > 0, 2 * hits / union.clamp(min=1), torch.zeros_like(hits))
    return {
        "macro_f1": float(f1.mean()),
        "accuracy": float(hits.sum() / matrix.sum().clamp(min=1)),
    }
