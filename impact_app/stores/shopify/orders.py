"""Orders asked for at the Admin API, each given as the body that an order webhook would bring.

There is one reader of orders, `reading.py`; this page only fetches and renames.
Source: Admin GraphQL reference 2026-10 (Order, LineItem, Refund), seen 2026-11.

What the API does not tell, and a webhook does: the browser's user agent; the shop's own offset in times (they
are in UTC here); the e-mail address of a customer whose order has none. The customer's id comes only with the
scope `read_customers`; e-mail, IP address and country only where protected customer data is approved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from impact_app.domain.money import Money
from impact_app.stores.shopify.documents import (
    GRANTED_SCOPES,
    ORDER_BY_ID,
    ORDER_LINES,
    ORDERS_CHANGED,
    ORDERS_COUNT,
    ORDERS_PLACED,
    REFUND_LINES,
)
from impact_app.stores.shopify.errors import AccessDenied, PlatformUnreachable
from impact_app.stores.shopify.products import Ask

Node = Mapping[str, Any]
Body = dict[str, Any]

#: A page of 25 orders with 50 lines each stays under the 1,000 points that one document may cost.
ORDERS_A_PAGE = 25
LINES_AT_FIRST = 50

#: Shopify ends a listing after 25,000 orders without a word; a new one is begun before that.
LISTED_AT_MOST = 20_000

#: A connection gives at most 250 nodes a page.
LINES_A_PAGE = 250

#: How often an order is read from its beginning that changes while its pages are read.
_READINGS = 3

#: Whose discount an application is, in the words of the webhook.
_APPLICATIONS = {
    "DiscountCodeApplication": "discount_code",
    "AutomaticDiscountApplication": "automatic",
    "ManualDiscountApplication": "manual",
    "ScriptDiscountApplication": "script",
}

# Decimals are written as JSON numbers, which is how a webhook shows the two sums of a refund's line.
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class ChangedOrders:
    """One page of changed orders.

    orders     webhook bodies, the order that changed first at the front
    cursor     where the next page begins; None on the last
    greatest   the latest change seen on this page; None where it is empty
    """

    orders: tuple[bytes, ...]
    cursor: str | None
    greatest: datetime | None


def fetch_order(ask: Ask, order_key: str, *, sees_customers: bool = False) -> bytes | None:
    """The order as it stands now, whole; None where Shopify shows no such order to this app.

    Without the scope `read_all_orders` that is every order older than 60 days. `sees_customers`: the app has
    the scope `read_customers`. Raises `PlatformUnreachable` for an order that changes faster than its pages
    can be read; whatever `ask` raises passes.
    """
    if not (order_key.isascii() and order_key.isdigit()):
        return None
    order = whole_order(Reader(ask, sees_customers), order_key)
    return None if order is None else webhook_body(order)


def changed_orders(
    ask: Ask,
    since: datetime,
    until: datetime,
    cursor: str | None = None,
    *,
    sees_customers: bool = False,
    listed_at_most: int = LISTED_AT_MOST,
) -> Iterator[ChangedOrders]:
    """Every order whose last change lies between two moments (both included), in pages of at most 25.

    `cursor` goes on after a page seen before with the same moments. After so many orders a new listing is
    begun. Shopify's index lags a little: begin the next one some time before the greatest change seen.
    An order that changes meanwhile may come twice. Raises as `fetch_order`.
    """
    reader = Reader(ask, sees_customers)
    begun: datetime | None = since
    while begun is not None:
        since, begun, listed = begun, None, 0
        query = f"updated_at:>='{_stamp(since)}' updated_at:<='{_stamp(until)}'"
        for page in _pages(reader, ORDERS_CHANGED, query, cursor):
            changes = [datetime.fromisoformat(order["updatedAt"]) for order in page["nodes"]]
            greatest = max(changes, default=None)
            yield ChangedOrders(tuple(_bodies(reader, page["nodes"])), _next(page), greatest)
            listed += len(page["nodes"])
            if listed >= listed_at_most and greatest is not None and greatest > since:
                begun, cursor = greatest, None
                break


def placed_orders(
    ask: Ask, since: datetime, until: datetime, *, sees_customers: bool = False
) -> Iterator[bytes]:
    """The webhook bodies of all orders placed from `since` up to, not including, `until`; the oldest first.

    Shopify ends a listing after 25,000 orders. Raises as `fetch_order`.
    """
    reader = Reader(ask, sees_customers)
    for page in _pages(reader, ORDERS_PLACED, placed_between(since, until)):
        yield from _bodies(reader, page["nodes"])


def count_placed(ask: Ask, since: datetime, until: datetime) -> int:
    """How many orders were placed in that time, of those that Shopify shows to this app."""
    count: int = ask(ORDERS_COUNT, {"query": placed_between(since, until)})["ordersCount"]["count"]
    return count


def placed_between(since: datetime, until: datetime) -> str:
    """The search for orders placed from `since` up to, not including, `until`.

    `processed_at` is what an order's body is dated by, also where it was imported later.
    """
    return f"processed_at:>='{_stamp(since)}' processed_at:<'{_stamp(until)}'"


def look_at_one(reader: Reader, since: datetime, until: datetime) -> None:
    """Have the reader find out how much of the buyer it may see, by the first order of that time."""
    asked = {"query": placed_between(since, until), "first": 1, "after": None, "lines": 1}
    reader.read(ORDERS_PLACED, asked)


def granted_scopes(ask: Ask) -> frozenset[str]:
    """The access scopes that the merchant has granted, as Shopify has them now."""
    scopes = ask(GRANTED_SCOPES, {})["currentAppInstallation"]["accessScopes"]
    return frozenset(scope["handle"] for scope in scopes)


def _pages(reader: Reader, document: str, query: str, cursor: str | None = None) -> Iterator[Node]:
    while True:
        asked = {"query": query, "first": ORDERS_A_PAGE, "after": cursor, "lines": LINES_AT_FIRST}
        page = reader.read(document, asked)["orders"]
        yield page
        cursor = _next(page)
        if cursor is None:
            return


def _bodies(reader: Reader, orders: Sequence[Node]) -> Iterator[bytes]:
    for order in orders:
        whole = order if _is_whole(order) else whole_order(reader, order["legacyResourceId"])
        if whole is not None:
            yield webhook_body(whole)


class Reader:
    """Asks with as much of the buyer as the app may see, and finds out how much that is: `sees`.

    A field that may not be read refuses the whole answer, so the same is asked again without it.
    """

    def __init__(self, ask: Ask, sees_customers: bool) -> None:
        self.ask = ask
        self.sees = {"customer": sees_customers, "contact": True}

    def read(self, document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        while True:
            try:
                return self.ask(document, {**variables, **self.sees})
            except AccessDenied:
                shown = next((part for part, is_seen in self.sees.items() if is_seen), None)
                if shown is None:
                    raise
                self.sees[shown] = False


def whole_order(reader: Reader, order_key: str) -> Node | None:
    """The order with all of its lines, of one moment."""
    asked = {"id": f"gid://shopify/Order/{order_key}", "lines": LINES_AT_FIRST}
    for _ in range(_READINGS):
        order = reader.read(ORDER_BY_ID, asked)["order"]
        if order is None or _is_whole(order):
            found: Node | None = order
            return found
        lines = _further_lines(reader.ask, asked["id"], order)
        if lines is not None:
            refunds = [_whole_refund(reader.ask, refund) for refund in order["refunds"]]
            return {**order, "lineItems": {"nodes": lines}, "refunds": refunds}
    raise PlatformUnreachable("The order changed again each time its further lines were read.")


def _is_whole(order: Node) -> bool:
    refunds = (refund["refundLineItems"] for refund in order["refunds"])
    return not any(_next(part) for part in (order["lineItems"], *refunds))


def _further_lines(ask: Ask, gid: object, order: Node) -> list[Node] | None:
    """Every line of the order; None if it changed on the way, when lines of two moments would be mixed."""
    lines = list(order["lineItems"]["nodes"])
    after = _next(order["lineItems"])
    while after is not None:
        found = ask(ORDER_LINES, {"id": gid, "first": LINES_A_PAGE, "after": after})["order"]
        if found is None or found["updatedAt"] != order["updatedAt"]:
            return None
        lines += found["lineItems"]["nodes"]
        after = _next(found["lineItems"])
    return lines


def _whole_refund(ask: Ask, refund: Node) -> Node:
    lines = list(refund["refundLineItems"]["nodes"])
    after = _next(refund["refundLineItems"])
    while after is not None:
        asked = {"id": refund["id"], "first": LINES_A_PAGE, "after": after}
        page = ask(REFUND_LINES, asked)["node"]["refundLineItems"]
        lines += page["nodes"]
        after = _next(page)
    return {**refund, "refundLineItems": {"nodes": lines}}


def _next(connection: Node) -> str | None:
    info = connection["pageInfo"]
    cursor: str | None = info["endCursor"] if info["hasNextPage"] else None
    return cursor


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def webhook_body(order: Node) -> bytes:
    """The bytes of an order webhook for an order of the API, as far as the webhook's reader reads them."""
    places = _places(order["discountApplications"]["nodes"])
    body = {
        **_identity(order),
        **_buyer(order),
        **_sums(order),
        "discount_codes": [{"code": code} for code in order["discountCodes"]],
        "discount_applications": _applications(order["discountApplications"]["nodes"]),
        "line_items": [_line(line, places) for line in order["lineItems"]["nodes"]],
        "shipping_lines": [_shipping_line(line, places) for line in order["shippingLines"]["nodes"]],
        "refunds": [_refund(refund) for refund in order["refunds"]],
    }
    return _encoder.encode(body)


def _identity(order: Node) -> Body:
    return {
        "id": int(order["legacyResourceId"]),
        "name": order["name"],
        "order_number": order["number"],
        "test": order["test"],
        "created_at": order["createdAt"],
        "processed_at": order["processedAt"],
        "updated_at": order["updatedAt"],
        "cancelled_at": order["cancelledAt"],
        "cancel_reason": _lower(order["cancelReason"]),
        "financial_status": _lower(order["displayFinancialStatus"]),
        "source_name": order["sourceName"],
        "currency": order["currencyCode"],
        "presentment_currency": order["presentmentCurrencyCode"],
        "taxes_included": order["taxesIncluded"],
        "checkout_token": order["checkoutToken"],
        "cart_token": order["cartToken"],
        "note_attributes": _pairs(order["customAttributes"]),
        "landing_site": _landing_site(order["customerJourneySummary"]),
    }


def _buyer(order: Node) -> Body:
    """What may be seen of the buyer; a part that was not asked for is as absent as one that is empty."""
    return {
        "email": order.get("email"),
        "browser_ip": order.get("clientIp"),
        "customer": _only(order.get("customer"), lambda customer: {"id": _number(customer)}),
        "shipping_address": _only(order.get("shippingAddress"), _country),
        "billing_address": _only(order.get("billingAddress"), _country),
    }


def _sums(order: Node) -> Body:
    return {
        **_both("subtotal_price", order["subtotalPriceSet"]),
        **_both("current_subtotal_price", order["currentSubtotalPriceSet"]),
        "total_tip_received": _money(order["totalTipReceivedSet"]["shopMoney"])["amount"],
        "current_shipping_price_set": _only(order["currentShippingPriceSet"], _bag),
        "current_total_duties_set": _only(order["currentTotalDutiesSet"], _bag),
        "current_total_additional_fees_set": _only(order["currentTotalAdditionalFeesSet"], _bag),
    }


def _line(line: Node, places: Mapping[int, int]) -> Body:
    return {
        "id": _id_in(line["id"]),
        "title": line["title"],
        "sku": line["sku"],
        "vendor": line["vendor"],
        "quantity": line["quantity"],
        "current_quantity": line["currentQuantity"],
        "gift_card": line["isGiftCard"],
        "product_id": _only(line["product"], _number),
        "variant_id": _only(line["variant"], _number),
        "properties": _pairs(line["customAttributes"]),
        **_both("price", line["originalUnitPriceSet"]),
        **_reductions(line, places),
    }


def _shipping_line(line: Node, places: Mapping[int, int]) -> Body:
    return {**_both("price", line["originalPriceSet"]), **_reductions(line, places)}


def _reductions(line: Node, places: Mapping[int, int]) -> Body:
    return {
        "discount_allocations": [
            {
                **_both("amount", part["allocatedAmountSet"]),
                # An application made by an order edit is not in the order's list; none of them is at -1.
                "discount_application_index": places.get(part["discountApplication"]["index"], -1),
            }
            for part in line["discountAllocations"]
        ],
        "tax_lines": [_both("price", tax["priceSet"]) for tax in line["taxLines"]],
    }


def _refund(refund: Node) -> Body:
    """A refund; the API has shipping that was given back among the refund's own lines, above zero."""
    shipping, adjustments = refund["refundShippingLines"]["nodes"], refund["orderAdjustments"]["nodes"]
    return {
        "refund_line_items": [_refund_line(line) for line in refund["refundLineItems"]["nodes"]],
        "refund_shipping_lines": [
            {"subtotal_amount_set": _bag(one["subtotalAmountSet"])} for one in shipping
        ],
        "order_adjustments": [
            *({"kind": "refund_discrepancy", **_both("amount", one["amountSet"])} for one in adjustments),
            *(
                {
                    "kind": "shipping_refund",
                    **_both("amount", _below_zero(one["subtotalAmountSet"])),
                    **_both("tax_amount", _below_zero(one["taxAmountSet"])),
                }
                for one in shipping
            ),
        ],
    }


def _refund_line(line: Node) -> Body:
    subtotal, total_tax = _both("subtotal", line["subtotalSet"]), _both("total_tax", line["totalTaxSet"])
    return {
        "line_item_id": _id_in(line["lineItem"]["id"]),
        "quantity": line["quantity"],
        **subtotal,
        **total_tax,
        "subtotal": Decimal(subtotal["subtotal"]),
        "total_tax": Decimal(total_tax["total_tax"]),
    }


def _places(applications: Sequence[Node]) -> dict[int, int]:
    """Where each application stands in the list, by the index that allocations name it with."""
    return {index: place for place, index in enumerate(sorted(one["index"] for one in applications))}


def _applications(applications: Sequence[Node]) -> list[Body]:
    return [
        {
            "type": _APPLICATIONS.get(one["__typename"], "automatic"),
            "target_type": _lower(one["targetType"]),
            "target_selection": _lower(one["targetSelection"]),
            "allocation_method": _lower(one["allocationMethod"]),
            "value_type": (
                "percentage" if one["value"]["__typename"] == "PricingPercentageValue" else "fixed_amount"
            ),
            **{name: one[name] for name in ("code", "title") if name in one},
        }
        for one in sorted(applications, key=lambda one: int(one["index"]))
    ]


def _landing_site(journey: Node | None) -> str | None:
    """Path and query of the page on which the last visit before the order began, as `landing_site` has it.

    A last visit that began without a query brought no click; the first visit may have.
    """
    if journey is None or not journey["ready"]:
        return None
    visits = (journey["lastVisit"], journey["firstVisit"])
    pages = [visit["landingPage"] for visit in visits if visit and visit["landingPage"]]
    page = next((page for page in pages if "?" in page), pages[0] if pages else None)
    return page and _without_host(page)


def _without_host(page: str) -> str:
    try:
        parts = urlsplit(page)
    except ValueError:
        return page
    return urlunsplit(("", "", parts.path, parts.query, ""))


def _both(name: str, bag: Node | None) -> Body:
    """An amount under its name in shop money, and under `name_set` in both currencies; nothing for null."""
    if bag is None:
        return {}
    both = _bag(bag)
    return {name: both["shop_money"]["amount"], f"{name}_set": both}


def _below_zero(bag: Node) -> Node:
    """A webhook shows shipping that was given back as less than nothing."""
    return {side: {**money, "amount": str(0 - Decimal(money["amount"]))} for side, money in bag.items()}


def _bag(bag: Node) -> Body:
    return {"shop_money": _money(bag["shopMoney"]), "presentment_money": _money(bag["presentmentMoney"])}


def _money(money: Node) -> Body:
    """The API prints "100.0" where a webhook prints "100.00"."""
    amount = Money(Decimal(money["amount"]), money["currencyCode"])
    return {"amount": amount.text if amount.fits else money["amount"], "currency_code": amount.currency}


def _only(node: Node | None, rename: Callable[[Node], Any]) -> Any:
    return None if node is None else rename(node)


def _number(node: Node) -> int:
    return int(node["legacyResourceId"])


def _id_in(gid: str) -> int:
    return int(gid.rpartition("/")[2])


def _country(address: Node) -> Body:
    return {"country_code": address["countryCodeV2"]}


def _pairs(attributes: Sequence[Node]) -> list[Body]:
    return [{"name": pair["key"], "value": pair["value"]} for pair in attributes]


def _lower(word: str | None) -> str | None:
    return word and word.lower()
