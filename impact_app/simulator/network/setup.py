"""What a pretend network knows before the first call: accounts, programs, partners, clicks, codes, rules."""

import re
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

CATEGORIES = ("Conversions", "Actions", "Submissions", "Programs", "Promo Codes", "Contracts", "Account")


class UnusableSetup(Exception):
    """The set-up cannot be used; the text says which part and what it should be."""


@dataclass(frozen=True)
class Token:
    """One auth token; `categories` empty means all of `CATEGORIES`."""

    value: str
    categories: tuple[str, ...] = ()
    read_only: bool = False
    disabled: bool = False

    def allows(self, category: str, method: str) -> bool:
        reads = method in ("GET", "HEAD")
        return (
            not self.disabled
            and (reads or not self.read_only)
            and category in (self.categories or CATEGORIES)
        )


@dataclass(frozen=True)
class Account:
    """A brand's account; real SIDs begin with IR and have about 34 characters."""

    sid: str = "IRPretendNetworkAccount00000000001"
    number: int = 10001
    name: str = "Pretend Brand"
    currency: str = "USD"
    disabled: bool = False
    tokens: tuple[Token, ...] = (
        Token("pretend-auth-token"),
        Token("pretend-read-only-token", read_only=True),
        Token("pretend-conversions-token", categories=("Conversions",)),
        Token("pretend-disabled-token", disabled=True),
    )


@dataclass(frozen=True)
class Agency:
    """An agency whose token reaches the accounts it manages; `accounts` empty means all."""

    sid: str = "IRPretendNetworkAgency000000000001"
    token: str = "pretend-agency-token"  # noqa: S105 - a published stand-in, it opens nothing real
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Campaign:
    """A program; `tracking_template` is added to partners' links, `program_template` to all of its links.

    `deep_link_domains` has commas between the domains.
    """

    id: int = 1000
    name: str = "Pretend Program"
    state: str = "ACTIVE"
    type: str = "Performance"
    promo_code_tracking: bool = True
    landing_page: str = "https://shop.example/"
    deep_link_domains: str = "shop.example"
    tracking_template: str = "im_ref={clickid}"
    program_template: str = ""
    deep_linking: bool = True
    view_through: bool = False
    tracking_domain: str = "partners.example"


@dataclass(frozen=True)
class EventType:
    """An event type, also called action tracker; `code` is its text alias."""

    id: int = 9876
    name: str = "Online Sale"
    campaign_id: int = 1000
    code: str = "ONLINE_SALE"
    active: bool = True
    credits_promo_codes: bool = True
    customer_statuses: tuple[str, ...] = ("New", "Existing")
    disposition_codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partner:
    """A partner with its commission as a share of the sale, such as 0.05 for five percent."""

    id: int = 20001
    name: str = "Pretend Partner"
    rate: Decimal = Decimal("0.05")
    active: bool = True
    unique_domain: str = ""


@dataclass(frozen=True)
class Click:
    """One click of a journey; `date` none means shortly before whichever order names it."""

    id: str
    partner_id: int = 20001
    date: datetime | None = None
    customer_id: str = ""
    profile_id: str = ""


@dataclass(frozen=True)
class PromoCode:
    """A code of one partner: `LI` matches in any case, `RE` is a case-sensitive regular expression."""

    id: int
    code: str
    partner_id: int = 20001
    type: Literal["LI", "RE"] = "LI"
    credit_policy: Literal["ALWAYS", "INVOLVED", "WINNER"] = "ALWAYS"
    campaign_id: int = 1000
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.code)
        except re.error as error:
            if self.type == "RE":
                raise UnusableSetup(f"Promo code {self.code!r} is no regular expression: {error}.") from None


_UNITS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1), "WEEK": timedelta(weeks=1)}


@dataclass(frozen=True)
class Contract:
    """What was agreed with a partner: which event types are paid, and how long after a click.

    `event_type_ids` empty means all of the program. `tells_window` off leaves the window out of what the API
    shows; it counts all the same.
    """

    id: str
    partner_id: int = 20001
    campaign_id: int = 1000
    event_type_ids: tuple[int, ...] = ()
    window: float = 30
    window_unit: Literal["DAY", "HOUR", "WEEK"] = "DAY"
    tells_window: bool = True
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        # The upper bound keeps every date within the calendar.
        if not 0 <= self.window <= 100_000:
            raise UnusableSetup(f"Contract {self.id}: a window of {self.window:g} is none.")

    def covers(self, event_type: EventType) -> bool:
        is_paid = not self.event_type_ids or event_type.id in self.event_type_ids
        return is_paid and event_type.campaign_id == self.campaign_id

    def status(self, now: datetime) -> str:
        if self.start is not None and self.start > now:
            return "UPCOMING"
        return "EXPIRED" if self.end is not None and self.end <= now else "ACTIVE"

    @property
    def referral_window(self) -> timedelta:
        return self.window * _UNITS[self.window_unit]


@dataclass(frozen=True)
class Setup:
    """Everything that may be chosen; durations are in the unit that their name ends with.

    With `strict_clicks` off every click id counts as a click of `default_partner_id`, so that a trial
    needs no preparation. `duplicate_window_days` is ours: impact.com does not publish the real length.
    `rate_limit` counts calls per account and hour; none switches it off. Without `contracts` every active
    partner has one in every program, with `referral_window_days` and all event types.
    """

    accounts: tuple[Account, ...] = (Account(),)
    agencies: tuple[Agency, ...] = (Agency(),)
    campaigns: tuple[Campaign, ...] = (Campaign(),)
    event_types: tuple[EventType, ...] = (EventType(),)
    partners: tuple[Partner, ...] = (Partner(), Partner(20002, "Pretend Coupon Site", Decimal("0.03")))
    clicks: tuple[Click, ...] = ()
    promo_codes: tuple[PromoCode, ...] = (PromoCode(501, "PARTNER10", partner_id=20002),)
    contracts: tuple[Contract, ...] = ()
    strict_clicks: bool = False
    default_partner_id: int = 20001
    queue_seconds: float = 0
    processing_seconds: float = 0
    duplicate_window_days: float = 30
    referral_window_days: float = 30
    oldest_event_days: int = 88
    oldest_forced_event_days: int = 398
    lock_days: int = 27
    modification_limit: int = 1000
    page_size: int = 20_000
    page_size_minimum: int = 2_000
    rate_limit: int | None = 1000
    rate_headers: Literal["brand", "partner", "none"] = "brand"
    rate_reset: Literal["seconds", "epoch"] = "seconds"
    calls_kept: int = 100_000

    def __post_init__(self) -> None:
        for name in ("accounts", "campaigns", "event_types"):
            if not getattr(self, name):
                raise UnusableSetup(f"setup.{name}: at least one is needed.")
        if not all(account.tokens for account in self.accounts):
            raise UnusableSetup("setup.accounts: every account needs a token.")
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name.startswith("page_size") else 0
            # The upper bound keeps every date within the calendar.
            most = 100_000 if field.name.endswith(("_days", "_seconds")) else 1_000_000_000
            if isinstance(value, int | float) and not least <= value <= most:
                raise UnusableSetup(f"setup.{field.name}: expected {least} to {most}, found {value!r}.")

    @property
    def sid(self) -> str:
        return self.accounts[0].sid

    @property
    def token(self) -> str:
        return self.accounts[0].tokens[0].value

    def account(self, sid: str) -> Account | None:
        return next((account for account in self.accounts if account.sid == sid), None)

    def campaign(self, campaign_id: int) -> Campaign | None:
        return next((campaign for campaign in self.campaigns if campaign.id == campaign_id), None)

    def partner(self, partner_id: int) -> Partner | None:
        return next((partner for partner in self.partners if partner.id == partner_id), None)

    @property
    def agreed(self) -> tuple[Contract, ...]:
        """The contracts, those that every active partner has included."""
        return self.contracts or tuple(
            Contract(f"S-{partner.id}", partner.id, campaign.id, window=self.referral_window_days)
            for campaign in self.campaigns
            for partner in self.partners
            if partner.active
        )

    def event_type(self, event_type_id: int | None, code: str = "") -> EventType | None:
        if event_type_id is not None:
            return next((kind for kind in self.event_types if kind.id == event_type_id), None)
        return next((kind for kind in self.event_types if kind.code and kind.code == code), None)


def setup_from_json(document: Mapping[str, Any], base: Setup | None = None) -> Setup:
    """Read a set-up, or changes to one, from parsed JSON whose keys are the field names above.

    Raises `UnusableSetup` naming the first key or value that does not fit.
    """
    base = base or Setup()
    kept = {field.name: getattr(base, field.name) for field in fields(Setup)}
    return Setup(**{**kept, **_known_fields(Setup, document, "setup")})


def _known_fields(kind: type, document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise UnusableSetup(f"{where}: expected an object of named values, found {document!r}.")
    hints = get_type_hints(kind)
    unknown = [name for name in document if name not in hints]
    if unknown:
        raise UnusableSetup(f"{where}: no setting is called {unknown[0]!r}. Known: {', '.join(hints)}.")
    return {name: _read(hints[name], value, f"{where}.{name}") for name, value in document.items()}


def _read(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) in (typing.Union, UnionType):
        return None if value is None else _read(get_args(hint)[0], value, where)
    if get_origin(hint) is tuple:
        return _read_list(get_args(hint)[0], value, where)
    if get_origin(hint) is Literal:
        return _one_of(get_args(hint), value, where)
    if is_dataclass(hint):
        return _read_object(typing.cast(type, hint), value, where)
    return _read_plain(hint, value, where)


def _read_list(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UnusableSetup(f"{where}: expected a list, found {value!r}.")
    return tuple(_read(hint, entry, f"{where}[{place}]") for place, entry in enumerate(value))


def _one_of(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in choices:
        raise UnusableSetup(f"{where}: expected one of {', '.join(map(str, choices))}, found {value!r}.")
    return value


def _read_object(kind: type, value: Any, where: str) -> Any:
    given = _known_fields(kind, value, where)
    needed = [field.name for field in fields(kind) if field.default is MISSING and field.name not in given]
    if needed:
        raise UnusableSetup(f"{where}: {needed[0]!r} is missing.")
    return kind(**given)


def _read_plain(hint: Any, value: Any, where: str) -> Any:
    try:
        if hint is Decimal and isinstance(value, str | int) and not isinstance(value, bool):
            return Decimal(value)
        if hint is datetime and isinstance(value, str):
            return _with_offset(datetime.fromisoformat(value))
    except (InvalidOperation, ValueError) as error:
        raise UnusableSetup(f"{where}: {value!r} cannot be read. {error}") from None
    fits = isinstance(value, int | float) if hint is float else isinstance(value, hint)
    if not fits or (isinstance(value, bool) and hint is not bool):
        raise UnusableSetup(f"{where}: expected {hint.__name__}, found {value!r}.")
    return value


def _with_offset(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A time needs an offset, such as +01:00 or Z.")
    return moment
