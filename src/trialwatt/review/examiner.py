"""The process that looks at a stranger's results: `python -I -m trialwatt.review.examiner TASK`.

TASK is a JSON file: `do` (verify, replay or remake), `root`, `results`, `is_archive`, `work` (an
empty folder), `answer` (the JSON file to write) and `limits` (of review.sandbox.Limits).
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from trialwatt.review.sandbox import BLOCKED, CLIENTS, Limits, confine


def main() -> None:
    """Do the task in here, confined; what is meant for the user ends up in the answer."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    does_replay = task["do"] == "replay"
    confine(Limits(**task["limits"]), CLIENTS if does_replay else BLOCKED)
    os.chdir(task["work"])  # configuration files are named relative to here

    from trialwatt.errors import TrialwattError
    from trialwatt.review.examine import examine, made_again
    from trialwatt.review.tree import Tree

    tree = Tree(Path(task["root"]), Path(task["results"]), task["is_archive"])
    work = Path(task["work"])
    try:
        if does_replay:
            from trialwatt.review.replays import replayed_again

            answer = replayed_again(tree)
        else:
            answer = (examine if task["do"] == "verify" else made_again)(tree, work)
    except TrialwattError as error:
        answer = {"error": str(error)}
    except (MemoryError, BrokenProcessPool):  # a process that takes too much is ended
        most = task["limits"]
        answer = {
            "error": "these results take more than is allowed to be read: "
            f"{most['seconds']} s of CPU time or {most['memory_bytes'] >> 20} MB"
        }
    Path(task["answer"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
