"""Boosted trees on scikit-learn's digits: XGBoost or LightGBM, whichever φ says.

    pip install xgboost lightgbm

Both are imported where they are used: one that is not in the search space need not be there.
"""

from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split


def load(seed):
    inputs, labels = load_digits(return_X_y=True)
    rest, test, rest_y, test_y = train_test_split(
        inputs, labels, test_size=0.2, stratify=labels, random_state=0
    )
    train, check, train_y, check_y = train_test_split(
        rest, rest_y, test_size=0.25, stratify=rest_y, random_state=seed
    )
    return {"train": (train, train_y), "validation": (check, check_y), "test": (test, test_y)}


def train(phi, data, epochs, seed, report):
    """An epoch is one round of boosting; a round cannot be left out, so none is reported alone."""
    sizes = {"n_estimators": epochs, "learning_rate": phi["rate"], "random_state": seed}
    if phi["library"] == "xgboost":
        from xgboost import XGBClassifier

        model = XGBClassifier(max_depth=phi["depth"], n_jobs=1, **sizes)
    else:
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(num_leaves=phi["leaves"], n_jobs=1, verbose=-1, **sizes)
    model.fit(*data["train"])
    report.step("validate")
    inputs, labels = data["validation"]
    return {"macro_f1": f1_score(labels, model.predict(inputs), average="macro")}
