"""A watch for tests: it remembers what a trial reports, and can stop it."""


class Log:
    """Stops the trial after `stop_after` epochs; raises `fault` there instead, if given."""

    def __init__(self, each_epoch=False, stop_after=None, fault=None):
        self.each_epoch, self.stop_after, self.fault = each_epoch, stop_after, fault
        self.epochs = 0
        self.steps, self.reported = [], []

    def step(self, name):
        if not self.steps or self.steps[-1] != name:
            self.steps.append(name)

    def epoch(self, epoch, scores):
        self.reported.append((epoch, scores))
        if epoch == self.stop_after and self.fault:
            raise self.fault
        return epoch == self.stop_after
