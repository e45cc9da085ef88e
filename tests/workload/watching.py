"""A report for tests: it remembers what a trial reports, and can stop it. And a trial on images."""

import tempfile
from pathlib import Path

from trialwatt.workload.images import Images
from trialwatt.workload.task import run_trial


class Log:
    """Stops the trial after `stop_after` epochs; raises `fault` there instead, if given."""

    def __init__(self, each_epoch=False, stop_after=None, fault=None):
        self.each_epoch, self.stop_after, self.fault = each_epoch, stop_after, fault
        self.epochs, self.stopped = 0, False
        self.steps, self.reported = [], []

    def step(self, name):
        if not self.steps or self.steps[-1] != name:
            self.steps.append(name)

    def __call__(self, epoch, scores=None):
        self.epochs = epoch
        if scores is None:
            return False
        self.reported.append((epoch, scores))
        if epoch == self.stop_after and self.fault:
            raise self.fault
        self.stopped = epoch == self.stop_after
        return self.stopped


def train(workload, phi, seed, data, split_seed, report):
    return run_trial(Images(workload, str(data), split_seed), phi, seed, report)


def score_of(workload, phi, model, data):
    """Scores of a model on the test split, by way of its file."""
    task = Images(workload, str(data), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        task.save(model, path)
        return task.test(path, phi)
