"""What every section of the settings is made of."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """Refuses unknown keys, and never repeats what was given: it may be a secret."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


def _reference(value: str) -> str:
    if value and not re.fullmatch(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)", value):
        raise ValueError("a secret must be a reference: 'env:NAME' or 'file:PATH', not the secret itself")
    return value


SecretReference = Annotated[str, AfterValidator(_reference)]
"""Where a secret is: `env:NAME` or `file:PATH`; empty for none."""
