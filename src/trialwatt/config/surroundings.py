"""What of the configuration comes from the environment, and differs between two users of it."""

from __future__ import annotations

import os
import shlex

from trialwatt.config.models import Testbed

IMAGE = "TRIALWATT_IMAGE"
"""Environment variable: the worker image of a cluster, where the testbed names none."""
BUILD = "TRIALWATT_BUILD"
"""Environment variable: what is added to the command that builds the image."""


def with_image(testbed: Testbed) -> Testbed:
    """The testbed with the image that the environment names, where it names none itself."""
    image, cluster = os.environ.get(IMAGE), testbed.kubernetes
    if cluster is None or cluster.image or not image:
        return testbed
    # No part of a run's identity, as the testbed's own `image` is none.
    return testbed.model_copy(update={"kubernetes": cluster.model_copy(update={"image": image})})


def image_arguments() -> list[str]:
    """What the environment adds to the building of the image, split as a shell would."""
    return shlex.split(os.environ.get(BUILD, ""))
