"""What a workload can be made of: datasets, networks, training algorithms, their hyperparameters.

Pure data, so that planning needs no torch; `trialwatt.workload` implements the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trialwatt.config.models import Choices, Range, Workload


@dataclass(frozen=True)
class Hyperparameter:
    """What a hyperparameter may be. `low` is its smallest value (`above`: just not that one)."""

    meaning: str
    kind: Literal["integer", "number"]
    low: float
    above: bool = False

    @property
    def rule(self) -> str:
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} {'greater than' if self.above else 'of at least'} {self.low:g}"

    def allows(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "integer" and not isinstance(value, int):
            return False
        return value > self.low if self.above else value >= self.low

    def faults(self, axis: Choices | Range) -> list[tuple[tuple[str | int, ...], object]]:
        """The values on an axis that it cannot take, each with its path within the axis."""
        ends: list[tuple[tuple[str | int, ...], object]]
        if isinstance(axis, Choices):
            ends = [(("choices", index), value) for index, value in enumerate(axis.choices)]
        else:
            ends = [(("low",), axis.low), (("high",), axis.high)]
            if self.kind == "integer" and axis.step and not float(axis.step).is_integer():
                ends.append((("step",), axis.step))
        return [(path, value) for path, value in ends if not self.allows(value)]


LEARNING_RATE = Hyperparameter("learning rate", "number", 0, above=True)
WEIGHT_DECAY = Hyperparameter("weight decay", "number", 0)
LAYER_SIZE = Hyperparameter("units per hidden layer", "integer", 1)
CHANNELS = Hyperparameter("channels of the first convolution", "integer", 1)
LAYERS = Hyperparameter("number of hidden layers", "integer", 1)


@dataclass(frozen=True)
class Images:
    """The shape of a dataset: `train` images; `scale` is the value of a white pixel."""

    train: int
    height: int
    width: int
    classes: int
    scale: int


DATASETS: dict[str, Images] = {
    "digits": Images(1437, 8, 8, 10, 16),
    "mnist": Images(60_000, 28, 28, 10, 255),
    "fashion-mnist": Images(60_000, 28, 28, 10, 255),
}

SCORES = ("macro_f1", "accuracy")
"""What a network is scored by: both lie between 0 and 1, and more is better."""


def is_of_images(workload: Workload) -> bool:
    """Whether its trials train one of these networks on one of these datasets.

    It then has SCORES, references for its goal, and a test split.
    """
    return workload.trial is None


MODELS: dict[str, dict[str, Hyperparameter]] = {
    "ff": {"ls": LAYER_SIZE, "ln": LAYERS},
    "cnn": {"channels": CHANNELS, "ls": LAYER_SIZE},
}

ALGORITHMS: dict[str, dict[str, Hyperparameter]] = {
    name: {"lr": LEARNING_RATE, "decay": WEIGHT_DECAY}
    for name in ("adam", "adamw", "rmsprop", "sgd")
}
