"""What every section of the settings is: unknown keys and numbers without end are refused, and no value is repeated."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)
