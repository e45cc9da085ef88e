"""Two files that should be the same: identical, equal up to rounding, or different.

Another processor may round the last digit of a number differently, and with it change a figure's
coordinates, a checksum in a sidecar and the bytes of all that holds them. So what is no longer
identical byte for byte is read as numbers in text, tables, drawings or pixels. Every byte of the
file must be accounted for that way; what cannot be read so is told by its bytes, as different.
The first of the two files may be a stranger's: it is only parsed.
"""

from trialwatt.review.compare.files import compared
from trialwatt.review.compare.rounding import Outcome, Rounding

__all__ = ["Outcome", "Rounding", "compared"]
