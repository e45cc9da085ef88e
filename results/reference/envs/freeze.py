"""Print the packages of this environment as a lock: name==version, without the project itself."""

from importlib.metadata import distributions

pins = {
    dist.metadata["Name"].lower().replace("_", "-"): dist.version.split("+")[0]
    for dist in distributions()
}
print("# Made by `make lock` from pyproject.toml; do not edit. Python 3.11.")
for name in sorted(pins.keys() - {"trialwatt", "pip"}):
    print(f"{name}=={pins[name]}")
