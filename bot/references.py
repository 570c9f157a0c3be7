"""Where a secret is; the secret itself never stands in the settings."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator


def _reference(value: str) -> str:
    if value and not re.fullmatch(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)", value):
        raise ValueError("a secret must be a reference: 'env:NAME' or 'file:PATH', not the secret itself")
    return value


SecretReference = Annotated[str, AfterValidator(_reference)]
"""Where a secret is: `env:NAME` or `file:PATH`; empty for none."""

KEPT: Final = "vault:"
"""What a channel's option says whose secret was typed in, and is kept encrypted in the ledger."""


def refers(value: object) -> bool:
    """Whether the value of a channel's option says where a secret is."""
    return isinstance(value, str) and (value == KEPT or value.startswith(("env:", "file:")))
