"""What those boxes are for that no other table names: the filter of orders, single ones of other pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One box: its label, and its paragraph, which the pages and the documents both show."""

    name: str
    title: str
    help: str


FILTER_FIELDS: tuple[Field, ...] = (
    Field("verdict", "Verdict", "What became of the orders."),
    Field(
        "search",
        "Number, id, click, promo code or e-mail address",
        "Whole, as it stands on the order. An address is looked for by its digest and is not kept.",
    ),
    Field("reason", "Reason", "Why they were reported or not, wait, or need attention."),
    Field("partner", "Partner", "Whom impact.com credits, once the app has read that back."),
    Field("first", "Placed from", "The first day that counts, in UTC."),
    Field("last", "Placed until", "The last day that counts, in UTC."),
    Field(
        "least",
        "Amount from, in the order's currency",
        "Of the items that count, before tax and shipping.",
    ),
    Field("most", "Amount up to", "Likewise. Without a currency, such as 1234.50."),
)

REMOVE_WEBHOOK = Field(
    "remove_webhook",
    "Remove the stored webhook",
    "Alerts go by e-mail alone then, and the stored address is forgotten when you save.",
)

TRIAL_LINK = Field(
    "link",
    "Address of the shop, or of the page that you landed on",
    "One that carries a click is taken as it is; to any other a new click is added.",
)

PASSWORD = Field(
    "password",
    "Admin password",
    "It is what ADMIN_PASSWORD says, or what the app printed at its first start.",
)

#: Every one of them, by the page it stands on.
FIELDS: dict[str, tuple[Field, ...]] = {
    "Orders": FILTER_FIELDS,
    "Alerts": (REMOVE_WEBHOOK,),
    "Test order": (TRIAL_LINK,),
    "Sign in": (PASSWORD,),
}
