"""What every platform's reader does to foreign values before they become an order: check, clean, digest."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from impact_app.domain.events import Unreadable

_Body = TypeVar("_Body")

#: Larger figures are no order; they would also overflow what a database keeps.
_AMOUNT_LIMIT = Decimal(10) ** 13
QUANTITY_LIMIT = 10**6
_KEY_LIMIT = 64
#: Beyond them a moment may have no counterpart in UTC.
_YEARS = (1970, 9998)

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def parsed(body: bytes, kind: type[_Body], platform: str) -> _Body:
    """The fields of `kind` in a JSON body, amounts exact to the digit. Raises `Unreadable`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Unreadable(f"The body is not as {platform} sends it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is not complete JSON in UTF-8: {error}") from None


def checked_amount(amount: Decimal, place: str) -> Decimal:
    """`amount` if it can be one of money. Raises `Unreadable` naming `place`."""
    if not amount.is_finite() or abs(amount) >= _AMOUNT_LIMIT or int(amount.as_tuple().exponent) < -9:
        raise Unreadable(f"{place} is no amount of money: {str(amount)[:40]}.")
    return amount + 0  # minus zero becomes zero, which impact.com would refuse as negative


def checked_currency(code: str) -> str:
    """`code` if it has the form of ISO 4217. Raises `Unreadable`."""
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise Unreadable(f"The order's currency is {code[:20]!r}, which is no ISO 4217 code.")
    return code


def checked_quantity(quantity: int, place: str) -> int:
    """`quantity` if a line can have it. Raises `Unreadable` naming `place`."""
    if quantity < 0 or quantity > QUANTITY_LIMIT:
        raise Unreadable(f"{place}.quantity is {str(quantity)[:40]}.")
    return quantity


def order_key(value: int | str, platform: str) -> str:
    """The order's id as text fit for its column. Raises `Unreadable`."""
    key = str(value)
    if not key.isprintable() or not 0 < len(key) <= _KEY_LIMIT:
        raise Unreadable(f"The order's id is {key[:40]!r}, which is no id of {platform}.")
    return key


def moment(value: datetime) -> datetime:
    """A moment with its zone, UTC where none is named. Raises `Unreadable` where the calendar ends."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not _YEARS[0] <= aware.year <= _YEARS[1]:
        raise Unreadable(f"The order names the year {aware.year}, which no order can have.")
    return aware


def text(value: Any) -> str:
    """Text fit for every database and form: null is empty, and a control character is made visible.

    PostgreSQL refuses NUL; impact.com takes none of the others.
    """
    if value is None or isinstance(value, (dict, list)):
        return ""
    return _CONTROL.sub("\ufffd", str(value))


def email_digests(email: str) -> tuple[str, str]:
    """SHA-1 and SHA-256 of the trimmed address in lower case; both "" where there is none."""
    address = email.strip().lower().encode()
    if not address:
        return "", ""
    return hashlib.sha1(address, usedforsecurity=False).hexdigest(), hashlib.sha256(address).hexdigest()
