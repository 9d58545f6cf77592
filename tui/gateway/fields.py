"""Lenient field types for LiteLLM's records: numbers may be strings or null, timestamps come in several shapes."""

import math
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from tui.gateway.errors import BadAnswer
from tui.gateway.redaction import printable

LARGEST = 1e300
"""Costs may be that high; beyond it, the sum of two might not be finite."""
WIDEST = 2**63
"""What no counter of a database reaches."""


def number(value: Any) -> float | None:
    """A float up to `LARGEST`, or None for null, words, NaN, infinity and more."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) and abs(result) <= LARGEST else None


def whole(value: Any) -> int | None:
    """An int below `WIDEST`, or None where `number` gives none."""
    exact = isinstance(value, int) and not isinstance(value, bool)
    found = value if exact else number(value)
    return None if found is None or abs(found) >= WIDEST else int(found)


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


def visible(name: str | None) -> str | None:
    """The name, or None where nobody would see any of it."""
    return name if name and any(unicodedata.category(each)[0] in "LNPS" for each in printable(name)) else None


def words(value: Any) -> list[str]:
    """A list of strings; [] for null."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """A dict; {} for anything else."""
    return value if isinstance(value, dict) else {}


Number = Annotated[float | None, BeforeValidator(number)]
Amount = Annotated[float, BeforeValidator(lambda value: number(value) or 0.0)]
Whole = Annotated[int | None, BeforeValidator(whole)]
Moment = Annotated[datetime | None, BeforeValidator(moment)]
Word = Annotated[str | None, BeforeValidator(word)]
Words = Annotated[list[str], BeforeValidator(words)]
Mapped = Annotated[dict[str, Any], BeforeValidator(mapping)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]


class Record(BaseModel):
    """A record of the gateway: immutable, fields that are not named here are ignored.

    The constructor takes the names of the fields; `model_validate` and `from_gateway` take LiteLLM's.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    @classmethod
    def _named(cls, row: dict[str, Any]) -> dict[str, Any]:
        """LiteLLM's `row` under this record's names, whatever else it holds under them."""
        return row

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """From LiteLLM's row. Raises pydantic's `ValidationError`."""
        return super().model_validate(cls._named(obj) if isinstance(obj, dict) else obj, **options)

    @classmethod
    def from_gateway(cls, row: Any) -> Self:
        """From LiteLLM's row. Raises `BadAnswer`, which names the field and repeats no value."""
        try:
            return cls.model_validate(row)
        except ValidationError as error:
            wrong = sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]})
        what = cls.__name__.lower()
        raise BadAnswer(f"The gateway's record of a {what} cannot be read ({', '.join(wrong) or 'no record'}).")
