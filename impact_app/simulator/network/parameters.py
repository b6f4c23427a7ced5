"""The parameters of `POST Conversions` as data: name, kind and size, and names that belong elsewhere.

Source: impact.com Brand API v14, Conversions schema and the reference pages about it, seen November 2026.
Sizes: characters of text, digits of integers; for numbers all digits, two of them behind the point. Where
a field has none of its own, impact.com's general limits stand: 255 characters, 16 digits, numbers 8.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    PERCENT = "percent"
    MONEY = "money"
    DATE = "date"
    BOOLEAN = "boolean"
    URL = "URL"
    HASH = "hash"
    COUNTRY = "country"
    CURRENCY = "currency"
    ADDRESS = "IP address"


_GENERAL_SIZE = {Kind.INTEGER: 16, Kind.NUMBER: 8, Kind.PERCENT: 8, Kind.MONEY: 8}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: Kind = Kind.TEXT
    own_size: int = 0

    @property
    def size(self) -> int:
        return self.own_size or _GENERAL_SIZE.get(self.kind, 255)


def _series(name: str, last: int, kind: Kind, size: int = 0) -> tuple[Parameter, ...]:
    return tuple(Parameter(f"{name}{number}", kind, size) for number in range(1, last + 1))


_ORDER = (
    Parameter("CampaignId", Kind.INTEGER, 10),
    Parameter("EventTypeId", Kind.INTEGER, 10),
    Parameter("ActionTrackerId", Kind.INTEGER, 10),
    Parameter("EventTypeCode", Kind.TEXT, 64),
    Parameter("EventDate", Kind.DATE),
    Parameter("OrderId", Kind.TEXT, 64),
    Parameter("Oid", Kind.TEXT, 64),
    # attribution
    Parameter("ClickId", Kind.TEXT, 64),
    Parameter("CustomClickId", Kind.TEXT, 64),
    Parameter("CustomerId"),
    Parameter("CustomProfileId", Kind.TEXT, 70),
    Parameter("OrderPromoCode"),
    Parameter("PromoCode"),
    Parameter("UniqueUrl", Kind.URL),
    Parameter("MediaId", Kind.INTEGER),
    Parameter("MediaPartnerId", Kind.INTEGER),
    Parameter("SubId1"),
    Parameter("SubId2"),
    Parameter("SubId3"),
    Parameter("SharedId"),
    Parameter("PhoneNumber"),
    Parameter("CallerId"),
    Parameter("CountryCode", Kind.COUNTRY, 2),
    Parameter("GoogAId"),
    Parameter("AppleIfa"),
    Parameter("AppleIfv"),
    Parameter("AndroidId"),
    # the customer
    Parameter("CustomerEmail", Kind.HASH, 64),
    Parameter("CustomerStatus", Kind.TEXT, 40),
    Parameter("CustomerCity"),
    Parameter("CustomerRegion"),
    Parameter("CustomerPostCode", Kind.TEXT, 64),
    Parameter("CustomerCountry"),
    Parameter("IpAddress", Kind.ADDRESS),
    Parameter("UserAgent"),
    # money of the order
    Parameter("CurrencyCode", Kind.CURRENCY, 3),
    Parameter("Currency", Kind.CURRENCY, 3),
    Parameter("OrderDiscount", Kind.MONEY, 12),
    Parameter("OrderDiscountRate", Kind.PERCENT),
    Parameter("OrderSubTotalPostDiscount", Kind.MONEY, 14),
    Parameter("Amount", Kind.MONEY),
    Parameter("OrderShipping", Kind.MONEY, 14),
    Parameter("OrderTax", Kind.MONEY, 14),
    Parameter("OrderMargin", Kind.MONEY),
    # the rest
    Parameter("PaymentType", Kind.TEXT, 32),
    Parameter("GiftPurchase", Kind.BOOLEAN),
    Parameter("PropertyId", Kind.INTEGER),
    Parameter("AppPackage"),
    Parameter("AppVer"),
    Parameter("AppInstallRef"),
    Parameter("DeviceMfr"),
    Parameter("DeviceModel"),
    Parameter("LocationId", Kind.TEXT, 64),
    Parameter("LocationName", Kind.TEXT, 64),
    Parameter("LocationType", Kind.TEXT, 64),
    Parameter("TrackingConsent", Kind.BOOLEAN),
    Parameter("DispositionCode", Kind.TEXT, 64),
    Parameter("Note"),
    *_series("Text", 50, Kind.TEXT, 64),
    *_series("Numeric", 10, Kind.NUMBER),
    *_series("Money", 3, Kind.MONEY),
    *_series("Date", 10, Kind.DATE),
)

_ITEM = (
    Parameter("ItemSku"),
    Parameter("ItemCategory"),
    Parameter("ItemQuantity", Kind.INTEGER),
    Parameter("ItemPrice", Kind.MONEY),
    Parameter("ItemSubTotal", Kind.MONEY, 14),
    Parameter("ItemName"),
    Parameter("ItemSubCategory"),
    Parameter("ItemBrand"),
    Parameter("ItemMpn", Kind.TEXT, 64),
    Parameter("ItemDiscount", Kind.MONEY),
    Parameter("ItemTotalDiscount", Kind.MONEY),
    Parameter("ItemDiscountRate", Kind.PERCENT),
    Parameter("ItemPromoCode"),
    Parameter("ItemDeliveryType"),
    Parameter("ItemMargin", Kind.MONEY),
)

# Written ItemText1_2: the second text of item 1.
_ITEM_SERIES = {
    "ItemText": (50, Kind.TEXT, 64),
    "ItemNumeric": (10, Kind.NUMBER, 0),
    "ItemDate": (10, Kind.DATE, 0),
    "ItemMoney": (3, Kind.MONEY, 0),
}

_ELSEWHERE = {
    **dict.fromkeys(
        (
            "OrderPromoCodeDesc",
            "OrderRebate",
            "SiteVersion",
            "SiteCategory",
            "SearchTerm",
            "HearAboutUs",
            "ReferenceId",
            "OrderSubtotal",
            "OrderSubTotalPreDiscount",
            "ItemTotalRebate",
        ),
        "It is known to the browser tag or to older references only, not to Conversions.",
    ),
    **dict.fromkeys(("IntegrationSource", "IntegrationVersion"), "It is undocumented."),
    **dict.fromkeys(("StatusPending", "ReferrerUrl"), "It exists in no version of the API."),
    **dict.fromkeys(
        ("Sku", "Quantity", "Category", "ItemSubTotalDelta", "Reason", "ActionId"),
        "It belongs to changes of an action; here item fields are called ItemSku1, ItemQuantity1 and so on.",
    ),
    "ReferringUrl": "It belongs to page loads.",
    "_method": "Conversions can only be posted.",
}

ORDER = {parameter.name: parameter for parameter in _ORDER}
ITEM = {parameter.name: parameter for parameter in _ITEM}

# The same thing under two names; sending both leaves open which one counts.
ALIASES = {
    "Oid": "OrderId",
    "PromoCode": "OrderPromoCode",
    "Currency": "CurrencyCode",
    "MediaPartnerId": "MediaId",
}
EVENT_IDENTIFIERS = ("EventTypeId", "ActionTrackerId", "EventTypeCode")
ATTRIBUTION_KEYS = (
    "ClickId",
    "CustomClickId",
    "CustomerId",
    "CustomProfileId",
    "OrderPromoCode",
    "UniqueUrl",
    "MediaId",
    "CallerId",
    "GoogAId",
    "AndroidId",
    "AppleIfa",
    "AppleIfv",
)

_NUMBERED = re.compile(r"(Item[A-Za-z]+)([0-9]{0,6})(?:_([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sent name belongs: its parameter, the item's number (0 for the order), and its bare name."""

    parameter: Parameter
    item: int = 0
    bare: str = ""


@lru_cache(maxsize=50_000)
def locate(name: str) -> Place | str:
    """Find the parameter a sent name stands for, or the sentence why there is none."""
    if name in ORDER:
        return Place(ORDER[name], 0, name)
    if name in _ELSEWHERE:
        return f"Conversions has no parameter of this name. {_ELSEWHERE[name]}"
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return _locate_item(*numbered.groups())
    alike = next((known for known in ORDER if known.lower() == name.lower()), "")
    hint = f" It is spelled {alike}." if alike else " Leave it out."
    return f"Conversions has no parameter of this name.{hint}"


def _locate_item(bare: str, number: str, rank: str | None) -> Place | str:
    if bare not in ITEM and bare not in _ITEM_SERIES:
        alike = next((known for known in ITEM if known.lower() == bare.lower()), "")
        return "No item parameter has this name." + (
            f" It is spelled {alike}." if alike else " Leave it out."
        )
    if not number:
        return f"The item's number is missing: {bare}1 belongs to the first item."
    if number.startswith("0"):
        return "Items are counted 1, 2, 3 and so on, without zeros in front."
    if bare in ITEM:
        return Place(ITEM[bare], int(number), bare) if rank is None else f"{bare} takes no second number."
    last, kind, size = _ITEM_SERIES[bare]
    if rank is None or rank.startswith("0") or int(rank) > last:
        return f"{bare} is written {bare}{number}_1 to {bare}{number}_{last}."
    return Place(Parameter(f"{bare}_{rank}", kind, size), int(number), f"{bare}_{rank}")
