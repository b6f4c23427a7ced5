"""What can happen, each as one short word that can be read, drawn, and pasted into a test.

A history is what happens in one shop (`In`) and to the app that serves it. `order` counts the shop's orders
from 0 and wraps around, as do `line` and `mail`, so that every list of events is a history and can be made
shorter. What cannot happen just then (a refund of what is gone) does not happen. Amounts are in the smallest
unit of the shop's currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: What becomes of the webhook that tells of a change: delivered at once, twice (once as a repeat, once as a
#: delivery of its own), kept back until `Late` or the end, lost for good, or lost but for its mere hint.
Mail = Literal["now", "twice", "late", "lost", "hint"]


@dataclass(frozen=True)
class Item:
    """A line: unit price in the smallest unit, units, tax in percent (in the price or on top)."""

    sku: str
    price: int
    units: int = 1
    tax: str = ""
    is_gift_card: bool = False


@dataclass(frozen=True)
class Bought:
    """A new order. `money` names shop and shopper currency; `off` one of `shop.DISCOUNTS`."""

    items: tuple[Item, ...]
    money: str = "EUR"
    off: str = ""
    tax_included: bool = False
    shipping: int = 0
    has_click: bool = True
    is_paid: bool = True
    mail: Mail = "now"


@dataclass(frozen=True)
class Paid:
    """What is still owed is paid."""

    order: int = 0
    mail: Mail = "now"


@dataclass(frozen=True)
class Returned:
    """Units of a line come back, with the money for them; `kept` of that the shop keeps."""

    order: int = 0
    line: int = 0
    units: int = 1
    kept: int = 0
    mail: Mail = "now"


@dataclass(frozen=True)
class Refunded:
    """An amount is handed back without items, at most what is left; `shipping` is part of shipping."""

    order: int = 0
    amount: int = 100
    is_shipping: bool = False
    mail: Mail = "now"


@dataclass(frozen=True)
class Removed:
    """An edit takes units out; no money moves."""

    order: int = 0
    line: int = 0
    units: int = 1
    mail: Mail = "now"


@dataclass(frozen=True)
class Raised:
    """An edit adds units to a line; they are owed until they are paid."""

    order: int = 0
    line: int = 0
    units: int = 1
    mail: Mail = "now"


@dataclass(frozen=True)
class Added:
    """An edit adds a line; it is owed until it is paid."""

    item: Item
    order: int = 0
    mail: Mail = "now"


@dataclass(frozen=True)
class Cancelled:
    order: int = 0
    is_refunded: bool = True
    mail: Mail = "now"


@dataclass(frozen=True)
class Uncancelled:
    """The order counts again, as it was before it was cancelled."""

    order: int = 0
    mail: Mail = "now"


@dataclass(frozen=True)
class Again:
    """A delivery that was made before is made once more, under its own id or a new one."""

    mail: int = 0
    is_new: bool = True


@dataclass(frozen=True)
class Late:
    """A delivery that was kept back arrives now, after newer ones perhaps."""

    mail: int = 0


@dataclass(frozen=True)
class Worked:
    """The workers do everything that is due. `killed` is after how many statements, commits and calls."""

    killed: int | None = None


@dataclass(frozen=True)
class Passed:
    """Time passes; then the clock's sweep is made, and what impact.com made of it is read back."""

    minutes: int = 1


@dataclass(frozen=True)
class Failing:
    """The next calls to impact.com meet these faults, one each."""

    faults: tuple[str, ...]


@dataclass(frozen=True)
class Reconciled:
    """The hourly reconciliation runs, and is `killed` like the workers."""

    killed: int | None = None


@dataclass(frozen=True)
class RedisEmptied:
    pass


@dataclass(frozen=True)
class Ruled:
    """The merchant saves these rules; every other one is back at its default."""

    rules: tuple[tuple[str, str], ...] = ()


InShop = (
    Bought
    | Paid
    | Returned
    | Refunded
    | Removed
    | Raised
    | Added
    | Cancelled
    | Uncancelled
    | Again
    | Late
    | Ruled
)


@dataclass(frozen=True)
class In:
    """An event of one shop among several that share the app."""

    shop: int
    event: InShop


Event = In | Worked | Passed | Failing | Reconciled | RedisEmptied


def told(story: Sequence[Event]) -> str:
    """The story as it would stand in a test, one event a line, defaults left out."""
    return "\n".join(f"        {_said(event)}," for event in story)


def _said(value: object) -> str:
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        if isinstance(value, tuple):
            inner = ", ".join(_said(one) for one in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        return repr(value)
    if isinstance(value, In):
        return f"In({value.shop}, {_said(value.event)})"
    given = [
        f"{name}={_said(getattr(value, name))}"
        for name, field in fields.items()
        if getattr(value, name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(given)})"
