"""Lenient field types for LiteLLM's records: numbers may be strings or null, timestamps come in several shapes."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def number(value: Any) -> float | None:
    """A finite float, or None for null, words, NaN and infinity."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any) -> int | None:
    """An int, or None where `number` gives none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    result = number(value)
    return None if result is None else int(result)


def moment(value: Any) -> datetime | None:
    """An aware UTC datetime from ISO 8601 with `Z`, an offset or neither (then UTC); None for anything else."""
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None


def word(value: Any) -> str | None:
    """A non-empty string, or None."""
    return value if isinstance(value, str) and value else None


def words(value: Any) -> list[str]:
    """A list of strings; [] for null."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """A dict; {} for anything else."""
    return value if isinstance(value, dict) else {}


Number = Annotated[float | None, BeforeValidator(number)]
Amount = Annotated[float, BeforeValidator(lambda value: number(value) or 0.0)]
Whole = Annotated[int | None, BeforeValidator(whole)]
Count = Annotated[int, BeforeValidator(lambda value: whole(value) or 0)]
Moment = Annotated[datetime | None, BeforeValidator(moment)]
Word = Annotated[str | None, BeforeValidator(word)]
Words = Annotated[list[str], BeforeValidator(words)]
Mapped = Annotated[dict[str, Any], BeforeValidator(mapping)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]


class Record(BaseModel):
    """A record of the gateway: immutable, fields that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
