"""The trials of the jobs that faults are injected into: short, and of nothing that takes long to
import. `hungry` takes too much memory for a third of the points."""

import time

EPOCH_S = 0.03
HUNGRY_BYTES = 1500 << 20


def train(phi, data, epochs, seed, report):
    score = 0.0
    for epoch in range(1, epochs + 1):
        time.sleep(EPOCH_S)
        score += phi["rate"] * (1 - score) / phi["size"]
        if report(epoch, {"accuracy": score}):
            break
    return {"accuracy": score}, score


def hungry(phi, data, epochs, seed, report):
    if phi["rate"] == 0.1:
        taken = bytearray(HUNGRY_BYTES)
        taken[:: 1 << 12] = bytes(len(taken) >> 12)
    return train(phi, data, epochs, seed, report)


def save(model, path):
    path.write_text(repr(model))


def test(path, phi, data):
    return {"accuracy": float(path.read_text())}
