"""A search of one's own, measured: two lines more than without (docs/measure.md)."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_score

import trialwatt

images, labels = load_digits(return_X_y=True)

with trialwatt.measure(region="DE") as m:
    for alpha in (1e-5, 1e-4, 1e-3, 1e-2):
        with m.trial({"alpha": alpha}) as trial:
            model = SGDClassifier(alpha=alpha, random_state=1)
            trial.score = cross_val_score(model, images, labels, cv=3).mean()

best = max(m.result.trials, key=lambda trial: trial.score)
print(f"best: {best.phi}, {best.score:.3f}, for {m.result.energy_j:.3g} J")
