"""The merchant's rules: what each is called, which values it takes, and what holds when nobody sets it.

A rule arrives as text (from a form, a command line or the database) and leaves as one field of `Rules`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal


class RuleError(Exception):
    """Some rules cannot be read; `faults` maps each rule's name to one sentence about it."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


@dataclass(frozen=True)
class Route:
    """Where orders that match every condition are reported: a campaign and an event type."""

    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    campaign_id: str
    event_type_id: str

    @property
    def name(self) -> str:
        """The route as the merchant wrote it, as a verdict names it."""
        left = " ".join(f"{name}={_quoted(','.join(values))}" for name, values in self.conditions)
        return f"{left} -> {self.campaign_id}:{self.event_type_id}"


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value


#: What a route may look at. `customer` is new or existing.
ROUTE_CONDITIONS = ("country", "channel", "currency", "customer", "sku", "product_type")

#: What may be added to what is reported, though it is no merchandise.
INCLUDABLE = ("gift_cards", "tips", "duties", "fees", "shipping", "tax")


@dataclass(frozen=True)
class Rules:
    """Every choice a merchant has, with the default that holds without one."""

    mode: Literal["live", "shadow"] = "live"
    send: Literal["attributed", "clicks_only", "all"] = "attributed"
    test_orders: Literal["skip", "send"] = "skip"
    pos: Literal["skip", "send"] = "skip"
    drafts: Literal["skip", "send"] = "skip"
    renewals: Literal["skip", "send"] = "skip"
    zero_value: Literal["skip", "send"] = "skip"
    former_app_until: datetime | None = None
    order_id: Literal["id", "number", "name"] = "id"
    money: Literal["shop", "shopper"] = "shop"
    discounts: Literal["auto", "order", "item"] = "auto"
    include: frozenset[str] = frozenset()
    category: Literal["product_type", "category", "vendor"] = "product_type"
    category_fallback: str = "General"
    zero_items: Literal["send", "skip"] = "send"
    brand: Literal["no", "yes"] = "no"
    parameters: tuple[str, ...] = ("im_ref", "irclickid")
    referral_days: int = 30
    customer_click: Literal["off", "on"] = "off"
    domains: tuple[str, ...] = ()
    codes_field: int = 1
    email: Literal["sha1", "sha256", "no"] = "sha1"
    ip_address: Literal["no", "yes"] = "no"
    user_agent: Literal["no", "yes"] = "no"
    routes: tuple[Route, ...] = ()
    amount_refunds: Literal["spread", "leave"] = "spread"
    added_items: Literal["nothing", "second_conversion"] = "nothing"
    code_refund: str = "ITEM_RETURNED"
    code_cancel: str = "REJECTED"
    code_fraud: str = "CONS_FRAUD"
    code_test: str = "TEST_ACTION"


@dataclass(frozen=True)
class RuleEntry:
    """One rule as a settings page shows it and as text is read into it."""

    name: str
    title: str
    help: str
    read: Callable[[str], Any]
    choices: tuple[tuple[str, str], ...] = ()
    multiline: bool = field(default=False)


def _choice(*choices: tuple[str, str]) -> Callable[[str], str]:
    allowed = [value for value, _ in choices]

    def read(text: str) -> str:
        if text in allowed:
            return text
        raise ValueError(f"takes {', '.join(allowed[:-1])} or {allowed[-1]}, not {text!r}")

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"takes a whole number from {least} to {most}, not {text!r}")

    return read


def _label(most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text or len(text) > most or not text.isprintable():
            raise ValueError(f"takes 1 to {most} printable characters, not {text[:40]!r}")
        return text

    return read


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", text) if part))
    bad = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,64}", name)]
    if not names or bad:
        raise ValueError(f"takes names of URL parameters with commas between, not {text[:80]!r}")
    return names


_HOST = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}")


def _domains(text: str) -> tuple[str, ...]:
    named = [part.lower() for part in re.split(r"[,\s]+", text) if part]
    bad = [name for name in named if len(name) > 253 or not _HOST.fullmatch(name)]
    if bad:
        raise ValueError(f"takes hosts such as shop.example.fr with commas between, not {bad[0][:80]!r}")
    return tuple(dict.fromkeys(named))


def _included(text: str) -> frozenset[str]:
    names = {part for part in re.split(r"[,\s]+", text) if part and part != "none"}
    unknown = sorted(names - set(INCLUDABLE))
    if unknown:
        raise ValueError(f"takes any of {', '.join(INCLUDABLE)} with commas between, not {unknown[0]!r}")
    return frozenset(names)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"takes a date such as 2026-11-20, not {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_ROUTE = re.compile(r"(?P<left>.+?)\s*->\s*(?P<campaign>\d{1,10})\s*:\s*(?P<event>\d{1,10})")


def _routes(text: str) -> tuple[Route, ...]:
    lines = [line.strip() for line in re.split(r"[\n;]", text) if line.strip()]
    return tuple(_route(line) for line in lines)


def _route(line: str) -> Route:
    found = _ROUTE.fullmatch(line)
    if not found:
        raise ValueError(f"takes lines like 'country=DE,AT -> 1234:5678', not {line[:80]!r}")
    conditions = []
    for part in _words(found["left"]):
        name, _, listed = part.partition("=")
        values = tuple(value.strip() for value in listed.split(",") if value.strip())
        if name not in ROUTE_CONDITIONS or not values:
            raise ValueError(f"knows the conditions {', '.join(ROUTE_CONDITIONS)}, not {part!r}")
        conditions.append((name, values))
    return Route(tuple(conditions), found["campaign"], found["event"])


def _words(text: str) -> list[str]:
    """Words as a shell splits them, so that a value may hold blanks: product_type="Garden hoses"."""
    try:
        return shlex.split(text)
    except ValueError:
        raise ValueError(f"has a quotation mark without its partner in {text[:80]!r}") from None


def _entry(name: str, title: str, help_text: str, *choices: tuple[str, str], **other: Any) -> RuleEntry:
    read = other.pop("read", None) or _choice(*choices)
    return RuleEntry(name, title, help_text, read, choices, **other)


_SKIP = (("skip", "Leave out"), ("send", "Report"))
_YES_NO = (("no", "No"), ("yes", "Yes"))
_CODE = _label(64)

#: Every rule, in the order a settings page shows them; the docs list is made from it.
RULES: tuple[RuleEntry, ...] = (
    _entry(
        "mode",
        "Sending",
        "In shadow mode every order is judged and its call written down, and nothing is sent: for a time "
        "beside another app. Orders judged in shadow are not sent later by themselves.",
        ("live", "Send to impact.com"),
        ("shadow", "Shadow: send nothing"),
    ),
    _entry(
        "send",
        "Which orders to report",
        "An order can be credited through a click or through a promo code. Reporting all orders lets "
        "impact.com decide, at the price of many answers that no partner was involved.",
        ("attributed", "Orders with a click or a promo code"),
        ("clicks_only", "Only orders with a click"),
        ("all", "All orders"),
    ),
    _entry(
        "test_orders",
        "Test orders",
        "Orders paid with a test gateway. impact.com has no sandbox: a reported test order is real there.",
        *_SKIP,
    ),
    _entry("pos", "Point of sale", "Orders taken in a shop. They carry no click.", *_SKIP),
    _entry(
        "drafts",
        "Draft orders without a click",
        "Orders written by staff, often wholesale or support. One that carries a click is always reported.",
        *_SKIP,
    ),
    _entry(
        "renewals",
        "Subscription renewals",
        "Repeat orders made by a subscription. They may carry the first order's click every month.",
        *_SKIP,
    ),
    _entry(
        "zero_value",
        "Orders worth nothing",
        "Orders whose reportable amount is zero. impact.com cannot reverse an action of zero later.",
        *_SKIP,
    ),
    _entry(
        "former_app_until",
        "Reported by the former app until",
        "Orders placed before this moment that carry the former app's mark (irclickid) were reported by it "
        "and are left out. Empty: there was none.",
        read=_moment,
    ),
    _entry(
        "order_id",
        "Order number sent to impact.com",
        "Changing this later makes impact.com take orders for new ones.",
        ("id", "The platform's id"),
        ("number", "The order number (1001)"),
        ("name", "The order name (#1001)"),
    ),
    _entry(
        "money",
        "Currency to report in",
        "The shop's own currency, or the one the buyer saw. Never mixed within an order.",
        ("shop", "The shop's currency"),
        ("shopper", "The buyer's currency"),
    ),
    _entry(
        "discounts",
        "How discounts are reported",
        "Each reduction is reported once. impact.com spreads an order discount over the items by itself.",
        ("auto", "Order-wide ones once, others on their items"),
        ("order", "Always once for the order"),
        ("item", "Always on the items"),
    ),
    _entry(
        "include",
        "Also report as part of the amount",
        "Left out unless named here: " + ", ".join(INCLUDABLE) + ". Put commas between.",
        read=_included,
    ),
    _entry(
        "category",
        "Item category",
        "What impact.com gets as the item's category, which payouts may depend on.",
        ("product_type", "Product type"),
        ("category", "Product category"),
        ("vendor", "Vendor"),
    ),
    _entry(
        "category_fallback",
        "Category where there is none",
        "impact.com requires a category for each item.",
        read=_label(255),
    ),
    _entry(
        "zero_items",
        "Free items",
        "Items that cost nothing, such as gifts.",
        ("send", "Report"),
        ("skip", "Leave out"),
    ),
    _entry("brand", "Report the vendor as brand", "Needed only where payouts depend on the brand.", *_YES_NO),
    _entry(
        "parameters",
        "Click parameters",
        "Names of the URL parameters that carry the click id, the preferred one first.",
        read=_names,
    ),
    _entry(
        "referral_days",
        "Referral window in days",
        "How long a click counts: the window of your contract at impact.com (1 to 365). The storefront "
        "script keeps a click this long.",
        read=_whole(1, 365),
    ),
    _entry(
        "customer_click",
        "The customer's earlier click",
        "For an order without a click of its own: the click that the same customer's last order carried, if "
        "that was placed within the referral window. It is remembered from the day this is switched on.",
        ("off", "Does not count"),
        ("on", "Counts"),
    ),
    _entry(
        "domains",
        "Other domains of the shop",
        "Hosts such as shop.example.fr, with commas between: the storefront script hands the click over to "
        "them, and their pages may tell the app of a click. The shop's main domains need not be named.",
        read=_domains,
    ),
    _entry(
        "codes_field",
        "Text field for all promo codes",
        "One code is reported as the promo code; where an order used several, all go into this free text "
        "field (1 to 50) at impact.com.",
        read=_whole(1, 50),
    ),
    _entry(
        "email",
        "Customer e-mail",
        "Sent as a digest only, never readable.",
        ("sha1", "SHA-1 digest"),
        ("sha256", "SHA-256 digest"),
        ("no", "Not sent"),
    ),
    _entry("ip_address", "Customer IP address", "For impact.com's fraud checks.", *_YES_NO),
    _entry("user_agent", "Customer browser", "For impact.com's device reports.", *_YES_NO),
    _entry(
        "routes",
        "Other campaigns and event types",
        "One line each, the first that matches wins: country=DE,AT customer=new -> 1234:5678. Conditions: "
        + ", ".join(ROUTE_CONDITIONS)
        + ".",
        read=_routes,
        multiline=True,
    ),
    _entry(
        "amount_refunds",
        "Refunds of an amount without items",
        "Money given back for no item in particular, as for a late delivery. Spread, every item that is kept "
        "loses its share of it; left, the items keep the amounts they were sold for.",
        ("spread", "Spread over the items kept"),
        ("leave", "Leave the items as they are"),
    ),
    _entry(
        "added_items",
        "Items added after the order was reported",
        "impact.com adds no items to an action. They can be reported as one more conversion, under the "
        "order's number with -2 behind it, once they are paid.",
        ("nothing", "Not reported"),
        ("second_conversion", "Report as a second conversion"),
    ),
    _entry("code_refund", "Code for a refunded order", "impact.com's disposition code.", read=_CODE),
    _entry("code_cancel", "Code for a cancelled order", "impact.com's disposition code.", read=_CODE),
    _entry("code_fraud", "Code for a fraudulent order", "impact.com's disposition code.", read=_CODE),
    _entry(
        "code_test",
        "Code for a test order",
        "impact.com's disposition code for a reported test order that is taken back, whatever the cause.",
        read=_CODE,
    ),
)

_BY_NAME = {entry.name: entry for entry in RULES}


def read_rules(texts: Mapping[str, str]) -> Rules:
    """Rules from their texts; an absent name keeps its default. Raises `RuleError` with every fault."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, text in texts.items():
        entry = _BY_NAME.get(name)
        if entry is None:
            faults[name] = f"There is no rule {name!r}; the rules are {', '.join(_BY_NAME)}."
            continue
        try:
            values[name] = entry.read(text.strip())
        except ValueError as error:
            faults[name] = f"The rule {name} {error}."
    if faults:
        raise RuleError(faults)
    return Rules(**values)


def default_text(name: str) -> str:
    """The default of a rule as a person would type it."""
    default = next(item.default for item in fields(Rules) if item.name == name)
    if default is None:
        return ""
    if isinstance(default, (tuple, frozenset)):
        return ",".join(sorted(default) if isinstance(default, frozenset) else default)
    return str(default)
