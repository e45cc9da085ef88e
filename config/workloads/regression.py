"""A regression in PyTorch on scikit-learn's diabetes data: 442 patients, 10 numbers of each."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

HELD_OUT = 88
"""A fifth, of which the test split is the same under every seed."""


def load(seed):
    inputs, targets = (
        torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True)
    )
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    test, rest = order[:HELD_OUT], order[HELD_OUT:]
    rest = rest[torch.randperm(len(rest), generator=torch.Generator().manual_seed(seed))]
    splits = {"test": test, "validation": rest[:HELD_OUT], "train": rest[HELD_OUT:]}
    return {name: (inputs[index], targets[index]) for name, index in splits.items()}


def network(phi):
    inner = nn.ReLU if phi["activation"] == "relu" else nn.Tanh
    return nn.Sequential(
        nn.Linear(10, phi["units"]), inner(), nn.Dropout(phi["dropout"]), nn.Linear(phi["units"], 1)
    )


def train(phi, data, epochs, seed, report):
    torch.manual_seed(seed)
    model = network(phi)
    steps = torch.optim.AdamW(model.parameters(), lr=phi["rate"])
    inputs, targets = data["train"]
    for epoch in range(1, epochs + 1):
        report.step("train")
        model.train()
        for batch in torch.randperm(len(inputs)).split(32):
            loss = nn.functional.mse_loss(model(inputs[batch]).squeeze(1), targets[batch])
            steps.zero_grad()
            loss.backward()
            steps.step()
        if report.each_epoch:
            report.step("validate")
            if report(epoch, scores(model, data["validation"])):
                break
    report.step("validate")
    return scores(model, data["validation"]), model


def save(model, path):
    torch.save(model.state_dict(), path)


def test(path, phi, data):
    model = network(phi)
    model.load_state_dict(torch.load(path, weights_only=True))
    return scores(model, data["test"])


@torch.no_grad()
def scores(model, split):
    model.eval()
    inputs, targets = split
    errors = model(inputs).squeeze(1) - targets
    return {"rmse": errors.square().mean().sqrt(), "mae": errors.abs().mean()}
