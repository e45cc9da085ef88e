"""A random forest on scikit-learn's breast cancer data: 569 tumours, 30 measurements of each."""

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split


def load(seed):
    """Training, validation and test split; the test split is the same under every seed."""
    inputs, labels = load_breast_cancer(return_X_y=True)
    rest, test, rest_y, test_y = train_test_split(
        inputs, labels, test_size=0.2, stratify=labels, random_state=0
    )
    train, check, train_y, check_y = train_test_split(
        rest, rest_y, test_size=0.25, stratify=rest_y, random_state=seed
    )
    return {"train": (train, train_y), "validation": (check, check_y), "test": (test, test_y)}


def train(phi, data, epochs, seed, report):
    """An epoch adds as many trees as there were after the first one."""
    model = RandomForestClassifier(
        n_estimators=0,
        warm_start=True,
        criterion=phi["criterion"],
        max_features=phi["features"],
        max_depth=phi.get("depth"),  # in φ where the trees are pruned
        random_state=seed,
        n_jobs=1,
    )
    for epoch in range(1, epochs + 1):
        report.step("train")
        model.n_estimators += phi["trees"]
        model.fit(*data["train"])
        if report.each_epoch:
            report.step("validate")
            if report(epoch, scores(model, data["validation"])):
                break
    report.step("validate")
    return scores(model, data["validation"]), model


def save(model, path):
    joblib.dump(model, path)


def test(path, phi, data):
    return scores(joblib.load(path), data["test"])


def scores(model, split):
    inputs, labels = split
    return {
        "log_loss": log_loss(labels, model.predict_proba(inputs)),
        "accuracy": model.score(inputs, labels),
    }
