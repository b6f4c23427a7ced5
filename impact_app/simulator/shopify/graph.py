"""The pretend store's records as the Admin API's GraphQL shows them.

Field names differ from the webhook's, money is "100.0" instead of "100.00", times are UTC, ids are gids.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from graphql import GraphQLError

from . import bulk, search, standing
from .bodies import Body, rate_text
from .store import Journey, PretendStore, Product, Visit
from .themes import SETTINGS, Theme

Node = dict[str, Any]
Record = TypeVar("Record")

PAGE_LIMIT = 250
ORDER_WINDOW = timedelta(days=60)
_CODE_TYPES = {
    "discount_code": "DiscountCodeApplication",
    "automatic": "AutomaticDiscountApplication",
    "manual": "ManualDiscountApplication",
    "script": "ScriptDiscountApplication",
}


def gid(kind: str, number: object) -> str:
    return f"gid://shopify/{kind}/{number}"


def require(store_scopes: Sequence[str], scope: str, field: str) -> None:
    """Refuse a field whose access scope the token does not have, in Shopify's words."""
    if scope in store_scopes or scope.replace("read_", "write_") in store_scopes:
        return
    raise GraphQLError(
        f"Access denied for {field} field. Required access: `{scope}` access scope.",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": f"`{scope}` access scope.",
        },
    )


def bad_request(words: str) -> GraphQLError:
    return GraphQLError(words, extensions={"code": "BAD_REQUEST"})


@dataclass(frozen=True)
class Page:
    """What a connection field was asked for."""

    first: int | None = None
    after: str | None = None
    reverse: bool = False
    is_whole: bool = False

    @classmethod
    def of(cls, info: Any, arguments: dict[str, Any]) -> Page:
        """What was asked for; in a bulk operation that is everything, whatever was asked for."""
        return cls(is_whole=True) if info.context is bulk.WHOLE else cls(**arguments)


def connection(
    records: Sequence[Record],
    render: Callable[[Record], Node],
    page: Page,
    key: Callable[[Record], list[Any]] | None = None,
) -> Node:
    """One page of records; a cursor holds the sort key, so that pages hold while records come and go."""
    if page.is_whole:
        page = replace(page, first=len(records))
    elif page.first is None:
        raise bad_request("you must provide one of first or last")
    elif not 0 <= page.first <= PAGE_LIMIT:
        raise bad_request(f"first cannot exceed {PAGE_LIMIT}")
    assert page.first is not None
    ordered = list(reversed(records)) if page.reverse else list(records)
    keys = [key(record) for record in ordered] if key else [[place] for place in range(len(ordered))]
    start = _place(page.after, keys, page.reverse and key is not None)
    shown = ordered[start : start + page.first]
    cursors = [_cursor(value) for value in keys[start : start + page.first]]
    nodes = [render(record) for record in shown]
    return {
        "nodes": nodes,
        "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)],
        "pageInfo": {
            "hasNextPage": start + page.first < len(ordered),
            "hasPreviousPage": start > 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def _place(after: str | None, keys: list[list[Any]], falling: bool) -> int:
    if after is None:
        return 0
    try:
        given = json.loads(base64.b64decode(after, validate=True))
        passed = [value >= given if falling else value <= given for value in keys]
    except (binascii.Error, ValueError, TypeError) as fault:
        raise bad_request("Invalid cursor for current pagination sort.") from fault
    return sum(passed)


def _cursor(key: list[Any]) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def paged(records: Sequence[Record], render: Callable[[Record], Node]) -> Callable[..., Node]:
    """A connection field whose nodes are made when it is asked for."""

    def resolve(info: Any, **arguments: Any) -> Node:
        return connection(records, render, Page.of(info, arguments))

    return resolve


def bag(value: Body | None) -> Node | None:
    if value is None:
        return None
    sides = (("shopMoney", "shop_money"), ("presentmentMoney", "presentment_money"))
    return {name: _money(value[key]["amount"], value[key]["currency_code"]) for name, key in sides}


def _money(amount: str, currency: str) -> Node:
    return {"__typename": "MoneyV2", "amount": rate_text(Decimal(amount)), "currencyCode": currency}


def utc(text: str | None) -> str | None:
    if text is None:
        return None
    return search.moment(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attributes(pairs: Sequence[Body]) -> list[Node]:
    return [{"key": pair["name"], "value": pair["value"]} for pair in pairs]


class Graph:
    """What one request may see of a store, with the scopes of its token."""

    def __init__(self, store: PretendStore, scopes: Sequence[str]) -> None:
        self.store = store
        self.scopes = scopes

    def shop(self) -> Node:
        currency = next(iter(self.store.orders.values()), {"currency": "USD"})["currency"]
        return {
            "currencyCode": currency,
            "email": "grace@example.com",
            "enabledPresentmentCurrencies": [currency],
            "ianaTimezone": "America/New_York",
            "id": gid("Shop", 91_740_000_001),
            "myshopifyDomain": self.store.domain,
            "name": "Impact Demo",
            "primaryDomain": {
                "host": self.store.primary_host or self.store.domain,
                "id": gid("Domain", 1),
                "url": f"https://{self.store.primary_host or self.store.domain}",
            },
            "taxesIncluded": False,
            "url": f"https://{self.store.domain}",
        }

    def installation(self) -> Node:
        return {
            "id": gid("AppInstallation", 1),
            "accessScopes": [
                {"handle": scope, "description": scope.replace("_", " ")} for scope in self.scopes
            ],
            "app": {
                "id": gid("App", 1),
                "apiKey": self.store.client_id,
                "handle": "impact",
                "title": "impact",
            },
            "metafield": lambda _info, key, namespace="$app": _metafield(self.store, namespace, key),
        }

    def themes(self, roles: Sequence[str] | None, names: Sequence[str] | None, page: Page) -> Node:
        """The published theme, where it is asked for: the pretend store has no other."""
        require(self.scopes, "read_themes", "themes")
        theme = self.store.theme
        is_asked = (not roles or "MAIN" in roles) and (not names or theme.name in names)
        return connection([theme] if is_asked else [], self.theme, page)

    def theme(self, theme: Theme) -> Node:
        def files(_info: Any, filenames: Sequence[str] | None = None, **asked: Any) -> Node:
            is_asked = not filenames or any(fnmatchcase(SETTINGS, name) for name in filenames)
            return connection([theme] if is_asked else [], file, Page(**asked))

        def file(of: Theme) -> Node:
            body = {"__typename": "OnlineStoreThemeFileBodyText", "content": of.settings}
            return {"filename": SETTINGS, "body": body}

        return {
            "id": gid("OnlineStoreTheme", theme.id),
            "name": theme.name,
            "role": "MAIN",
            "files": files,
        }

    def node(self, identifier: str) -> Node | None:
        """The product, order or refund with this gid; None for none, GraphQLError when it is no gid."""
        scheme, _, rest = identifier.partition("gid://shopify/")
        kind, _, number = rest.partition("/")
        if scheme or not number.isdigit():
            raise GraphQLError(
                f"Invalid global id '{identifier}'", extensions={"code": "argumentLiteralsIncompatible"}
            )
        if kind == "Product":
            require(self.scopes, "read_products", "product")
            product = self.store.products.get(int(number))
            return self.product(product) if product else None
        if kind == "Order":
            require(self.scopes, "read_orders", "order")
            body = self.store.orders.get(int(number))
            return self.order(body) if body and self._visible(body) else None
        if kind == "Refund":
            require(self.scopes, "read_orders", "refund")
            return self._refund_numbered(int(number))
        return None

    def _refund_numbered(self, number: int) -> Node | None:
        with self.store.lock:
            return next(
                (
                    {"__typename": "Refund", **self.refund(record, body)}
                    for body in self.store.orders.values()
                    for record in body["refunds"]
                    if record["id"] == number and self._visible(body)
                ),
                None,
            )

    def products(self, query: str | None, sort_key: str, page: Page) -> tuple[Node, list[str]]:
        """A page of products, and the search fields that Shopify does not know."""
        require(self.scopes, "read_products", "products")
        holds, unknown = _compiled(query, search.PRODUCT_FIELDS)

        def key(product: Product) -> list[Any]:
            return [getattr(product, sort_key.lower()), product.id]

        found = sorted(filter(holds, self.store.products.values()), key=key)
        return connection(found, self.product, page, key), unknown

    def orders(self, query: str | None, sort_key: str, page: Page) -> tuple[Node, list[str]]:
        """A page of orders, and the search fields that Shopify does not know."""
        found, unknown = self._found(query, "orders")
        name = sort_key.lower()

        def key(body: Body) -> list[Any]:
            return [utc(body[name]) if name.endswith("_at") else body[name], body["id"]]

        return connection(sorted(found, key=key), self.order, page, key), unknown

    def orders_count(self, query: str | None, limit: int | None) -> tuple[Node, list[str]]:
        """How many orders there are, counted up to the limit, and the search fields that are not known."""
        found, unknown = self._found(query, "ordersCount")
        cut = limit is not None and len(found) > limit
        return {
            "count": limit if cut else len(found),
            "precision": "AT_LEAST" if cut else "EXACT",
        }, unknown

    def _found(self, query: str | None, field: str) -> tuple[list[Body], list[str]]:
        require(self.scopes, "read_orders", field)
        holds, unknown = _compiled(query, search.ORDER_FIELDS)
        with self.store.lock:
            return [
                body for body in self.store.orders.values() if self._visible(body) and holds(body)
            ], unknown

    def _visible(self, body: Body) -> bool:
        # read_orders shows the last 60 days alone; older ones need read_all_orders.
        recent = search.moment(body["created_at"]) >= self.store.now() - ORDER_WINDOW
        return recent or "read_all_orders" in self.scopes

    def product(self, product: Product) -> Node:
        collections = [
            {"id": gid("Collection", place), "handle": title.lower().replace(" ", "-"), "title": title}
            for place, title in enumerate(product.collections, start=1)
        ]
        return {
            "__typename": "Product",
            "id": gid("Product", product.id),
            "legacyResourceId": str(product.id),
            "title": product.title,
            "productType": product.product_type,
            "vendor": product.vendor,
            "tags": list(product.tags),
            "isGiftCard": False,
            "category": _category(product.category),
            "collections": paged(collections, dict),
        }

    def order(self, body: Body) -> Node:
        return {
            "__typename": "Order",
            **_plain(body),
            **_money_fields(body),
            **self._people(body),
            "lineItems": paged(body["line_items"], lambda line: self.line(line, body)),
            "shippingLines": paged(body["shipping_lines"], lambda line: shipping_line(line, body)),
            "discountApplications": paged(
                range(len(body["discount_applications"])), lambda index: _application(body, index)
            ),
            "refunds": lambda _info, first=None: [
                self.refund(record, body) for record in body["refunds"][:first]
            ],
            "taxLines": _tax_lines(body),
            "customerJourneySummary": self._journey(body),
        }

    def _people(self, body: Body) -> Node:
        def customer(_info: Any) -> Node | None:
            require(self.scopes, "read_customers", "customer")
            return _customer(body, self.store)

        return {
            "customer": customer,
            "billingAddress": _address(body, "billing_address"),
            "shippingAddress": _address(body, "shipping_address"),
            "email": body["email"] or None,
            "phone": body["phone"],
        }

    def _journey(self, body: Body) -> Node | None:
        journey = self.store.journeys.get(body["id"])
        if journey is None:
            visit = _landing(body, self.store.domain)
            journey = Journey(visit, visit)
        return {
            "ready": journey.ready,
            "customerOrderIndex": journey.order_index,
            "daysToConversion": 0 if journey.first_visit else None,
            "firstVisit": _visit(journey.first_visit, body, 1),
            "lastVisit": _visit(journey.last_visit, body, 2),
            "moments": paged(
                [visit for visit in (journey.first_visit, *journey.between, journey.last_visit) if visit],
                lambda visit: {"__typename": "CustomerVisit", **(_visit(visit, body, 3) or {})},
            ),
        }

    def line(self, line: Body, order: Body) -> Node:
        price = standing.money_of(order).bag(*standing.gross(line, line["quantity"]))
        product = self.store.products.get(line["product_id"])
        variant = line["variant_id"]
        group = line["sales_line_item_group_id"]
        return {
            "id": line["admin_graphql_api_id"],
            "name": line["name"],
            "title": line["title"],
            "variantTitle": line["variant_title"],
            "sku": line["sku"],
            "vendor": line["vendor"],
            "quantity": line["quantity"],
            "currentQuantity": line["current_quantity"],
            "refundableQuantity": line["current_quantity"],
            "isGiftCard": line["gift_card"],
            "requiresShipping": line["requires_shipping"],
            "taxable": line["taxable"],
            "customAttributes": attributes(line["properties"]),
            "originalUnitPriceSet": bag(line["price_set"]),
            "originalTotalSet": bag(price),
            "discountAllocations": _allocations(line, order),
            "taxLines": lambda _info, first=None: _tax_lines(line)[:first],
            "product": self.product(product) if product else None,
            "variant": variant
            and {"id": gid("ProductVariant", variant), "legacyResourceId": str(variant), "sku": line["sku"]},
            "lineItemGroup": group
            and {"id": gid("LineItemGroup", group), "quantity": 1, "title": line["title"]},
        }

    def refund(self, record: Body, order: Body) -> Node:
        money = standing.money_of(order)
        back = standing.money_back(order, record) if record["transactions"] else standing.NOTHING
        return {
            "id": record["admin_graphql_api_id"],
            "legacyResourceId": str(record["id"]),
            "note": record["note"],
            "createdAt": utc(record["created_at"]),
            "processedAt": utc(record["processed_at"]),
            "updatedAt": utc(record["created_at"]),
            "totalRefundedSet": bag(money.bag(*back)),
            "refundLineItems": paged(
                record["refund_line_items"], lambda part: self._refund_line(part, order)
            ),
            "refundShippingLines": paged(_refund_shipping(record, order), dict),
            "orderAdjustments": paged(_adjustments(record), dict),
            "transactions": paged(_transactions(record, order), dict),
        }

    def _refund_line(self, part: Body, order: Body) -> Node:
        return {
            "id": gid("RefundLineItem", part["id"]),
            "lineItem": self.line(standing.line_of(order, part["line_item_id"]), order),
            "quantity": part["quantity"],
            "restockType": part["restock_type"].upper(),
            "restocked": part["restock_type"] != "no_restock",
            "subtotalSet": bag(part["subtotal_set"]),
            "totalTaxSet": bag(part["total_tax_set"]),
        }


def _compiled(query: str | None, fields: Any) -> tuple[search.Test, list[str]]:
    try:
        return search.compiled(query, fields)
    except ValueError as fault:
        raise bad_request(str(fault)) from fault


def _category(full_name: str | None) -> Node | None:
    if full_name is None:
        return None
    name = full_name.rpartition(" > ")[2]
    code = "-".join(word[:2].lower() for word in full_name.split(" > "))
    return {"id": gid("TaxonomyCategory", code), "fullName": full_name, "name": name}


def _plain(body: Body) -> Node:
    reason = body["cancel_reason"]
    return {
        "id": body["admin_graphql_api_id"],
        "legacyResourceId": str(body["id"]),
        "name": body["name"],
        "number": body["order_number"],
        "confirmationNumber": body["confirmation_number"],
        "confirmed": body["confirmed"],
        "app": {"id": gid("App", body["app_id"]), "name": body["source_name"]} if body["app_id"] else None,
        "cancelReason": reason.upper() if reason else None,
        "cancelledAt": utc(body["cancelled_at"]),
        "closedAt": utc(body["closed_at"]),
        "createdAt": utc(body["created_at"]),
        "processedAt": utc(body["processed_at"]),
        "updatedAt": utc(body["updated_at"]),
        "cartToken": body["cart_token"],
        "checkoutToken": body["checkout_token"],
        "clientIp": body["browser_ip"],
        "currencyCode": body["currency"],
        "presentmentCurrencyCode": body["presentment_currency"],
        "customAttributes": attributes(body["note_attributes"]),
        "customerLocale": body["customer_locale"],
        "discountCode": next((code["code"] for code in body["discount_codes"]), None),
        "discountCodes": [code["code"] for code in body["discount_codes"]],
        "displayFinancialStatus": body["financial_status"].upper(),
        "dutiesIncluded": body["duties_included"],
        "note": body["note"],
        "paymentGatewayNames": body["payment_gateway_names"],
        "poNumber": body["po_number"],
        "sourceIdentifier": body["source_identifier"],
        "sourceName": body["source_name"],
        "tags": [tag for tag in body["tags"].split(", ") if tag],
        "taxExempt": body["tax_exempt"],
        "taxesIncluded": body["taxes_included"],
        "test": body["test"],
    }


def _money_fields(body: Body) -> Node:
    names = {
        "currentShippingPriceSet": "current_shipping_price_set",
        "currentSubtotalPriceSet": "current_subtotal_price_set",
        "currentTotalAdditionalFeesSet": "current_total_additional_fees_set",
        "currentTotalDiscountsSet": "current_total_discounts_set",
        "currentTotalDutiesSet": "current_total_duties_set",
        "currentTotalPriceSet": "current_total_price_set",
        "currentTotalTaxSet": "current_total_tax_set",
        "originalTotalAdditionalFeesSet": "original_total_additional_fees_set",
        "originalTotalDutiesSet": "original_total_duties_set",
        "subtotalPriceSet": "subtotal_price_set",
        "totalDiscountsSet": "total_discounts_set",
        "totalPriceSet": "total_price_set",
        "totalShippingPriceSet": "total_shipping_price_set",
        "totalTaxSet": "total_tax_set",
    }
    tips = standing.plus(
        *(
            standing.net(line)
            for line in body["line_items"]
            if Decimal(body["total_tip_received"]) and _is_tip(line)
        )
    )
    tip_bag = standing.money_of(body).bag(*tips)
    return {name: bag(body[key]) for name, key in names.items()} | {"totalTipReceivedSet": bag(tip_bag)}


def _is_tip(line: Body) -> bool:
    return line["product_id"] is None and not line["taxable"] and not line["gift_card"]


def _customer(body: Body, store: PretendStore) -> Node | None:
    customer = body["customer"]
    if customer is None:
        return None
    known = [
        other for other in store.orders.values() if (other["customer"] or {}).get("id") == customer["id"]
    ]
    names = (customer["first_name"], customer["last_name"])
    return {
        "id": customer["admin_graphql_api_id"],
        "legacyResourceId": str(customer["id"]),
        "createdAt": utc(customer["created_at"]),
        "displayName": " ".join(name for name in names if name) or customer["email"] or "",
        "email": customer["email"],
        "firstName": customer["first_name"],
        "lastName": customer["last_name"],
        "numberOfOrders": str(len(known)),
    }


def _address(body: Body, name: str) -> Node | None:
    place = body[name]
    if place is None:
        return None
    return {
        "id": gid("MailingAddress", f"{body['id']}?model_name=Address"),
        "city": place["city"],
        "country": place["country"],
        "countryCodeV2": place["country_code"],
        "provinceCode": place["province_code"],
        "zip": place["zip"],
    }


def _landing(body: Body, domain: str) -> Visit | None:
    if not body["landing_site"]:
        return None
    page = f"https://{domain}{body['landing_site']}"
    return Visit(page, search.moment(body["created_at"]), body["referring_site"])


def _visit(visit: Visit | None, body: Body, place: int) -> Node | None:
    if visit is None:
        return None
    utm = {name: visit.utm.get(name) for name in ("campaign", "content", "medium", "source", "term")}
    return {
        "id": gid("CustomerVisit", body["id"] + place),
        "landingPage": visit.landing_page,
        "occurredAt": _stamp(visit.occurred_at),
        "referrerUrl": visit.referrer_url,
        "source": visit.source,
        "utmParameters": utm if visit.utm else None,
    }


def _tax_lines(taxed: Body) -> list[Node]:
    return [
        {
            "title": tax["title"],
            "rate": float(tax["rate"]),
            "ratePercentage": float(tax["rate"] * 100),
            "priceSet": bag(tax["price_set"]),
            "channelLiable": tax["channel_liable"],
        }
        for tax in taxed["tax_lines"]
    ]


def _allocations(line: Body, order: Body) -> list[Node]:
    return [
        {
            "allocatedAmountSet": bag(part["amount_set"]),
            "discountApplication": _application(order, part["discount_application_index"]),
        }
        for part in line["discount_allocations"]
    ]


def _application(order: Body, index: int) -> Node:
    shown = order["discount_applications"][index]
    if shown["value_type"] == "percentage":
        value: Node = {"__typename": "PricingPercentageValue", "percentage": float(shown["value"])}
    else:
        value = _money(shown["value"], order["currency"])
    return {
        "__typename": _CODE_TYPES[shown["type"]],
        "index": index,
        "allocationMethod": shown["allocation_method"].upper(),
        "targetSelection": shown["target_selection"].upper(),
        "targetType": shown["target_type"].upper(),
        "value": value,
        **{name: shown.get(name) for name in ("code", "title", "description")},
    }


def shipping_line(line: Body, order: Body) -> Node:
    return {
        "id": gid("ShippingLine", line["id"]),
        "code": line["code"],
        "title": line["title"],
        "source": line["source"],
        "isRemoved": line.get("is_removed", False),
        "originalPriceSet": bag(line["price_set"]),
        "discountedPriceSet": bag(line["discounted_price_set"]),
        "currentDiscountedPriceSet": bag(
            line.get("current_discounted_price_set", line["discounted_price_set"])
        ),
        "discountAllocations": _allocations(line, order),
        "taxLines": _tax_lines(line),
    }


def _refund_shipping(record: Body, order: Body) -> list[Node]:
    taxed = standing.plus(*(standing.units(entry["tax_amount_set"]) for entry in record["order_adjustments"]))
    money = standing.money_of(order)
    return [
        {
            "id": gid("RefundShippingLine", part["id"]),
            "shippingLine": shipping_line(part["shipping_line"], order),
            "subtotalAmountSet": bag(part["subtotal_amount_set"]),
            "taxAmountSet": bag(money.bag(*standing.minus(standing.NOTHING, taxed))),
        }
        for part in record["refund_shipping_lines"]
    ]


def _adjustments(record: Body) -> list[Node]:
    # GraphQL has no "kind": shipping given back stands among the refund's shipping lines instead.
    return [
        {
            "id": gid("OrderAdjustment", entry["id"]),
            "amountSet": bag(entry["amount_set"]),
            "taxAmountSet": bag(entry["tax_amount_set"]),
            "reason": "REFUND_DISCREPANCY",
        }
        for entry in record["order_adjustments"]
        if entry["kind"] == "refund_discrepancy"
    ]


def _transactions(record: Body, order: Body) -> list[Node]:
    back = standing.money_of(order).bag(*standing.money_back(order, record))
    return [
        {
            "id": entry["admin_graphql_api_id"],
            "amountSet": bag(back),
            "createdAt": utc(entry["created_at"]),
            "processedAt": utc(entry["processed_at"]),
            "gateway": entry["gateway"],
            "kind": entry["kind"].upper(),
            "status": entry["status"].upper(),
            "test": entry["test"],
        }
        for entry in record["transactions"]
    ]


def pixel(store: PretendStore, settings: Any) -> Node:
    """`webPixelCreate`: one pixel a shop, as Shopify keeps it."""
    fault = None
    if not store.has_pixel_extension:
        fault = ("NO_EXTENSION", "No extension found")
    elif store.pixel_settings is not None:
        fault = ("TAKEN", "Web Pixel is already created for this app.")
    if fault:
        return {
            "webPixel": None,
            "userErrors": [{"code": fault[0], "field": ["webPixel"], "message": fault[1]}],
        }
    store.pixel_settings = settings
    return {"webPixel": {"id": gid("WebPixel", 1), "settings": settings}, "userErrors": []}


def changed_pixel(store: PretendStore, identifier: str, settings: Any) -> Node:
    """`webPixelUpdate`: only a pixel that is there can be changed."""
    if store.pixel_settings is None or identifier != gid("WebPixel", 1):
        fault = {"code": "NOT_FOUND", "field": ["id"], "message": "Web pixel not found."}
        return {"webPixel": None, "userErrors": [fault]}
    store.pixel_settings = settings
    return {"webPixel": {"id": identifier, "settings": settings}, "userErrors": []}


def found_pixel(store: PretendStore) -> Node:
    """The app's own pixel; without one, Shopify's answer is an error."""
    if store.pixel_settings is None:
        raise GraphQLError("No web pixel was found for this app.", extensions={"code": "RESOURCE_NOT_FOUND"})
    return {"id": gid("WebPixel", 1), "settings": store.pixel_settings}


def set_metafields(store: PretendStore, given: Sequence[Node]) -> Node:
    """`metafieldsSet`: all or none; the app's own installation is the only owner that is known here."""
    errors = [error for at, one in enumerate(given) for error in _metafield_faults(one, at)]
    if errors:
        return {"metafields": None, "userErrors": errors}
    for one in given:
        store.metafields[one["namespace"], one["key"]] = (one["type"], one["value"])
    return {
        "metafields": [_metafield(store, one["namespace"], one["key"]) for one in given],
        "userErrors": [],
    }


def _metafield_faults(one: Node, at: int) -> list[Node]:
    def fault(code: str, field: str, message: str) -> list[Node]:
        path = ["metafields", str(at), field]
        return [{"code": code, "elementIndex": at, "field": path, "message": message}]

    if one["ownerId"] != gid("AppInstallation", 1):
        return fault("INVALID", "ownerId", "Owner does not exist.")
    if not one["value"]:
        return fault("BLANK", "value", "Value can't be blank")
    if one["type"] == "number_integer" and not one["value"].lstrip("-").isdigit():
        return fault("INVALID_VALUE", "value", "Value must be an integer.")
    if one["type"] not in {"number_integer", "single_line_text_field"}:
        return fault("INVALID_TYPE", "type", "Type is not known to the pretend store.")
    return []


def _metafield(store: PretendStore, namespace: str, key: str) -> Node | None:
    held = store.metafields.get((namespace, key))
    return held and {
        "id": gid("Metafield", 1 + sorted(store.metafields).index((namespace, key))),
        "namespace": namespace,
        "key": key,
        "type": held[0],
        "value": held[1],
    }
