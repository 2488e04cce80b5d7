"""Options in, a checked configuration out: what all kinds of session neighbours can be told."""

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from crossrec_pipeline.errors import SettingsError


class NeighboursConfig(BaseModel):
    """How many train sessions are looked at, and how many of them vote.

    Raises
    ------
    SettingsError
        If there is no such option, or its value is impossible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k: Annotated[int, Field(ge=1)] = 200
    """Neighbours: the most similar train sessions, whose items are scored."""
    sample: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    """Train sessions among which the neighbours are sought: the most recent ones that share an
    item with the session so far."""

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_wrong(cls, options: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(options)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}={problem['input']!r}: {problem['msg']}"
                for problem in error.errors()
            )
            raise SettingsError(
                f"{cls.__name__} cannot take {problems}. Its options are "
                f"{', '.join(cls.model_fields)}."
            ) from None
