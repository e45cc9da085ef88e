"""Where `trialwatt.files` was; to go when nothing imports it from here any more."""

from trialwatt.files import sha256, write_whole

__all__ = ["sha256", "write_whole"]
