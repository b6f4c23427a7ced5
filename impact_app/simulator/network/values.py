"""Reading one sent value by the kind of its parameter; what cannot be read raises `Unreadable`."""

import ipaddress
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from . import currencies
from .parameters import Kind, Parameter


class Unreadable(Exception):
    """A value does not fit its parameter; the text says what is wrong and what to send."""


_INTEGER = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_HEX_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_LEGACY_DATE = re.compile(r"(\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d) ([A-Z]{3,4})", re.ASCII)
_ZONES = {"GMT": 0, "UTC": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
_ZONES |= {"PST": -8, "PDT": -7, "CET": 1, "CEST": 2, "BST": 1}


def check(parameter: Parameter, value: str, currency: str) -> None:
    """Raise `Unreadable` unless the value fits its parameter; `currency` decides the decimals of money."""
    if value == "":
        raise Unreadable("It was sent empty. Leave it out, or give it a value.")
    if _CONTROL.search(value):
        raise Unreadable("It contains a control character.")
    match parameter.kind:
        case Kind.MONEY:
            read_money(value, currency, parameter.size)
        case Kind.NUMBER | Kind.PERCENT:
            read_number(value, parameter)
        case Kind.INTEGER:
            read_integer(value, parameter.size)
        case Kind.DATE:
            _ = value == "NOW" or read_date(value)
        case _:
            _check_words(parameter, value)


def _check_words(parameter: Parameter, value: str) -> None:
    match parameter.kind:
        case Kind.BOOLEAN if value.lower() not in ("true", "false"):
            raise Unreadable(f"Send true or false, not {value!r}.")
        case Kind.CURRENCY if value not in currencies.CODES:
            raise Unreadable(f"{value!r} is not a currency code of ISO 4217 in capitals, such as EUR.")
        case Kind.COUNTRY if not (len(value) == 2 and value.isascii() and value.isupper()):
            raise Unreadable(f"{value!r} is not a country code of two capitals, such as DE.")
        case Kind.HASH:
            _check_digest(value)
        case Kind.URL if not value.lower().startswith(("https://", "http://")):
            raise Unreadable("Send a whole URL that begins with https://.")
        case Kind.ADDRESS:
            _check_address(value)
        case _ if len(value) > parameter.size:
            raise Unreadable(f"It has {len(value)} characters; at most {parameter.size} are taken.")


def _check_digest(value: str) -> None:
    if "@" in value:
        raise Unreadable("An e-mail address may not be sent in the clear. Send its SHA-1 digest.")
    if not _HEX_DIGEST.fullmatch(value):
        raise Unreadable("Send a SHA-1 or SHA-256 digest in lower-case hexadecimal (40 or 64 characters).")


def _check_address(value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise Unreadable(f"{value!r} is not an IP address.") from None


def read_integer(value: str, size: int) -> int:
    """Read a whole number of at most `size` digits, zero or more."""
    if not _INTEGER.fullmatch(value) or not value.isascii():
        raise Unreadable(f"{value!r} is not a whole number.")
    if len(value) > size:
        raise Unreadable(f"It has {len(value)} digits; at most {size} are taken.")
    return int(value)


def read_number(value: str, parameter: Parameter) -> Decimal:
    """Read a number written with a point, no separators; percents lie between 0 and 100."""
    if not _NUMBER.fullmatch(value):
        raise Unreadable(f"{value!r} is not a number. Write digits and a point, no separators.")
    whole, _, behind = value.lstrip("-").partition(".")
    if len(whole) > parameter.size - 2 or len(behind) > 4:
        raise Unreadable(f"{value!r} has too many digits; {parameter.size - 2} before the point are taken.")
    if parameter.kind is Kind.PERCENT and not 0 <= Decimal(value) <= 100:
        raise Unreadable(f"{value!r} is not a percentage from 0 to 100.")
    return Decimal(value)


def read_money(value: str, currency: str, size: int) -> Decimal:
    """Read an amount in major units: a point, no separators, no more decimals than the currency has."""
    if value.startswith("-"):
        raise Unreadable(f"{value!r} is negative. Amounts and discounts are sent as positive numbers.")
    if not _NUMBER.fullmatch(value):
        raise Unreadable(
            f"{value!r} is not an amount. Write digits and a point: no separators, no currency sign."
        )
    whole, _, behind = value.partition(".")
    if len(whole) > size - 2:
        raise Unreadable(f"{value!r} is too large: {size} digits are taken, two of them behind the point.")
    places = currencies.decimals(currency)
    # Two decimals may always be written, so 1200.00 is fine in yen; 1200.50 is not an amount of yen.
    if len(behind) > max(2, places) or behind[places:].strip("0"):
        raise Unreadable(f"{value!r} has more decimals than {currency or 'a currency'} has ({places}).")
    return Decimal(value)


def read_date(value: str) -> datetime:
    """Read ISO 8601 with time and offset, or the legacy form `21-Oct-2025 18:25:59 PST`."""
    legacy = _LEGACY_DATE.fullmatch(value)
    try:
        if legacy and legacy[2] in _ZONES:
            zone = timezone(timedelta(hours=_ZONES[legacy[2]]))
            return _sensible(datetime.strptime(legacy[1], "%d-%b-%Y %H:%M:%S").replace(tzinfo=zone))
        if _ISO_DATE.fullmatch(value):
            return _sensible(datetime.fromisoformat(value))
    except ValueError:
        raise Unreadable(f"{value!r} is not a date that exists.") from None
    if re.fullmatch(r".*T.* \d\d:?\d\d", value):
        raise Unreadable(f"{value!r} lost the plus sign of its offset: percent-encode it as %2B.")
    raise Unreadable(f"{value!r} is not ISO 8601 with time and offset, such as 2026-11-20T15:04:05+01:00.")


def _sensible(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2100:
        raise Unreadable(f"The year {moment.year} cannot be meant.")
    return moment


def is_legacy_date(value: str) -> bool:
    return _LEGACY_DATE.fullmatch(value) is not None


def iso(moment: datetime) -> str:
    """Write a moment as the network does, to the second, with its offset."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
