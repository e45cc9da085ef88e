"""The coefficients of a power model, as a power table has them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from trialwatt.config.models import Model

Watts = Annotated[float, Field(ge=0)]


class PowerParameters(Model):
    """Coefficients of one power table; `source` says where they were published.

    min_w, max_w: watts of one idle and one busy physical vCPU.
    memory_w_per_gb: watts per GB (2^30 bytes) beyond `included_gb_per_vcpu` of each vCPU, whose
    power is already in the vCPU's watts.
    """

    min_w: Watts
    max_w: Watts
    memory_w_per_gb: Watts
    included_gb_per_vcpu: Annotated[float, Field(ge=0)]
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self):
        if self.max_w < self.min_w:
            raise ValueError(f"max_w {self.max_w} is below min_w {self.min_w}")
        return self

    def effective_cores(self, cores: Any, busy_cores: Any) -> Any:
        """The busy cores that dynamic power is proportional to; here, where it is linear, all.

        cores, busy_cores: numbers, or NumPy arrays that broadcast.
        """
        return busy_cores

    @classmethod
    def of(cls, table: Any) -> PowerParameters | None:
        """From an entry of the power table or a dumped record; None stays None."""
        return None if table is None else cls.model_validate(table, from_attributes=True)
