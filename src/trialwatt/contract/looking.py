"""A trial that looks at its φ: what the contract's job in a space with conditions runs."""

BOOLEAN = {"warm": {"choices": [True, False]}, "size": {"choices": [1, 2, 3]}}
CONDITIONED = BOOLEAN | {"share": {"choices": [0.1, 0.2], "when": {"warm": [True]}}}


def train(phi, data, epochs, seed, report):
    if type(phi["warm"]) is not bool:  # 1 and numpy's own would be true in a record too
        raise TypeError(f"warm is {phi['warm']!r}, neither true nor false")
    return {"macro_f1": phi["size"] / 4 + phi.get("share", 0.0)}
