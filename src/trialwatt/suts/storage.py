"""The section `storage` of a testbed: where the SUTs that want a database share their search."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from trialwatt.config.models import VARIABLE, Options, Testbed
from trialwatt.credentials import malformed, remember


def _is_none(value: object) -> bool:
    return value is None


class Storage(Options):
    """A database that the SUTs which want one share their search through, instead of a file.

    Either one of the user's: its URL may hold a password, so it is read from the environment
    variable that `postgres_env` names, and stands in no file, record or hash. Or one that each
    run starts for itself, with `postgres: service`: it is in the job, with the limits of a service.
    """

    # The one that is not given is left out, so that the hash of an older run stays what it was.
    postgres_env: Annotated[str, Field(json_schema_extra={"pattern": f"^{VARIABLE}$"})] | None = (
        Field(None, exclude_if=_is_none)
    )
    postgres: Literal["service"] | None = Field(None, exclude_if=_is_none)

    @field_validator("postgres_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        # Shows no value: it may well be the URL itself.
        if value is not None and not re.fullmatch(VARIABLE, value):
            raise ValueError("must be the name of an environment variable that holds the URL")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.postgres_env is None) == (self.postgres is None):
            raise ValueError("needs one of postgres_env and `postgres: service`")
        return self

    def problems(self, testbed: Testbed) -> list[tuple[str, str]]:
        """Whether the variable holds a URL of PostgreSQL, which is never shown."""
        variable = self.postgres_env
        if variable is None:
            return []
        url = os.environ.get(variable, "").strip()
        remember(url)
        scheme = url.partition("://")[0]
        if not url:
            message = f"the environment variable {variable} is not set; it must hold the URL"
        elif "://" not in url or scheme.partition("+")[0] not in ("postgresql", "postgres"):
            message = f"{variable} must be as postgresql://user:password@host:port/database"
        elif fault := malformed(url):
            message = f"{variable} {fault}"
        else:
            return []
        return [("postgres_env", message)]
