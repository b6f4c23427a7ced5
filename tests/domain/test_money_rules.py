"""The money rules, each with an order worked out by hand in its docstring."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from impact_app.domain.money import CurrencyMismatch, Money, exponent, share
from impact_app.domain.reasons import Reason, Verdict
from impact_app.simulator.shopify.orders import refund
from tests.domain.shop import Body, asked, body, form, items, line, money, net, off, order, percent, read

D = Decimal


def lines(raw: Body) -> list[Body]:
    found: list[Body] = raw["line_items"]
    return found


# Price, quantity, discounts


def test_a_line_is_price_times_quantity_less_its_allocations() -> None:
    """
    | line | price x units | allocation | net   |
    | A    | 14.00 x 2     | 5.00       | 23.00 |
    | B    | 33.00 x 3     | 0          | 99.00 |
    """
    sent = form(
        asked(
            order(
                line("14.00", 2, "A"),
                line("33.00", 3, "B"),
                discounts=[off("5.00", selection="entitled", entitled=(0,))],
            )
        )
    )
    assert items(sent) == [("A", 2, 2 * D("14.00"), D("5.00")), ("B", 3, 3 * D("33.00"), D("0"))]
    assert "OrderDiscount" not in sent
    assert net(sent) == 2 * D("14.00") - D("5.00") + 3 * D("33.00")


def test_total_discount_of_a_line_is_never_read() -> None:
    """Shopify leaves it at 0.00; a wrong figure there changes nothing: 2 x 10.00 - 4.00 = 16.00."""
    raw = body(line("10.00", 2), discounts=[off("4.00", selection="entitled", entitled=(0,))])
    lines(raw)[0]["total_discount"] = "999.00"
    assert net(form(asked(read(raw)))) == 2 * D("10.00") - D("4.00")


def test_uneven_cents_stay_where_the_shop_put_them() -> None:
    """
    10.00 off three lines of 30.00, spread by the shop:

    | line | list  | allocation | net   |
    | A    | 30.00 | 3.34       | 26.66 |
    | B    | 30.00 | 3.33       | 26.67 |
    | C    | 30.00 | 3.33       | 26.67 |
    """
    about = order(*(line("30.00", 1, sku) for sku in "ABC"), discounts=[off("10.00", kind="automatic")])
    sent = form(asked(about, discounts="item"))
    assert [discount for *_, discount in items(sent)] == [D("3.34"), D("3.33"), D("3.33")]
    assert net(sent) == 3 * D("30.00") - D("10.00")


# Tax


def test_contained_tax_is_taken_out_of_each_line() -> None:
    """
    Prices contain 19 %; nothing is off:

    | line | list  | tax            | net   |
    | A    | 11.90 | 11.90 x 19/119 | 10.00 |
    | B    | 23.80 | 23.80 x 19/119 | 20.00 |
    """
    sent = form(
        asked(
            order(line("11.90", 1, "A", tax="0.19"), line("23.80", 1, "B", tax="0.19"), taxes_included=True)
        )
    )
    assert items(sent) == [
        ("A", 1, D("11.90") - D("1.90"), D("0")),
        ("B", 1, D("23.80") - D("3.80"), D("0")),
    ]


def test_several_rates_are_taken_out_together_and_a_discount_loses_its_share_of_them() -> None:
    """
    Prices contain 20 % + 5 % on A and 7 % on B; 20 % off A alone:

    | line | list   | off   | paid   | tax                             | net   | off without tax        |
    | A    | 125.00 | 25.00 | 100.00 | 100 x 20/125 + 100 x 5/125 = 20 | 80.00 | 25.00 x 80/100 = 20.00 |
    | B    | 10.70  | 0     | 10.70  | 10.70 x 7/107 = 0.70            | 10.00 | 0                      |

    A's subtotal is 80.00 + 20.00 = 100.00.
    """
    about = order(
        line("125.00", 1, "A", tax="0.20", local_tax_rate=D("0.05")),
        line("10.70", 1, "B", tax="0.07"),
        discounts=[percent("20", selection="entitled", entitled=(0,))],
        taxes_included=True,
    )
    sent = form(asked(about))
    assert items(sent) == [("A", 1, D("100.00"), D("20.00")), ("B", 1, D("10.00"), D("0"))]
    assert net(sent) == (D("125.00") - D("25.00") - D("16.00") - D("4.00")) + (D("10.70") - D("0.70"))


def test_a_line_given_away_is_worth_nothing_and_contains_no_tax() -> None:
    """
    | line | list  | off   | paid  | tax  | net   |
    | A    | 11.90 | 11.90 | 0.00  | 0.00 | 0.00  |
    | B    | 11.90 | 0     | 11.90 | 1.90 | 10.00 |
    """
    about = order(
        line("11.90", 1, "A", tax="0.19"),
        line("11.90", 1, "B", tax="0.19"),
        discounts=[percent("100", selection="entitled", entitled=(0,))],
        taxes_included=True,
    )
    sent = form(asked(about))
    assert items(sent)[0][2] - items(sent)[0][3] == D("11.90") - D("11.90")
    assert net(sent) == D("0.00") + (D("11.90") - D("1.90"))


def test_tax_on_top_is_left_out() -> None:
    """2 x 50.00 with 8.875 % on top: the buyer pays 108.88, the report says 100.00."""
    raw = body(line("50.00", 2, tax="0.08875"))
    assert raw["total_price"] == "108.88"
    assert net(form(asked(read(raw)))) == 2 * D("50.00")


def test_tax_counts_where_the_rule_says_so() -> None:
    """On top: 100.00 + 8.88. Contained: 119.00 as it stands, and a tenth off is 11.90, not 10.00."""
    on_top = order(line("50.00", 2, tax="0.08875"))
    assert net(form(asked(on_top, include="tax"))) == 2 * D("50.00") + D("8.88")
    contained = order(line("119.00", 1, tax="0.19"), taxes_included=True, discounts=[percent("10")])
    assert net(form(asked(contained, include="tax"))) == D("119.00") - D("11.90")
    assert form(asked(contained, include="tax"))["OrderDiscount"] == "11.90"
    assert form(asked(contained))["OrderDiscount"] == "10.00"


def test_an_exempt_buyer_pays_prices_without_tax_lines() -> None:
    assert net(form(asked(order(line("119.00"), taxes_included=True)))) == D("119.00")


# One reduction, reported once


ORDER_WIDE = percent("10", name="TENOFF")
ON_ONE_LINE = off("3.00", selection="entitled", entitled=(1,), kind="automatic", name="Three off")


@pytest.mark.parametrize(
    ("discounts", "rule", "on_order", "on_items"),
    [
        ([ORDER_WIDE], "auto", "15.00", ["0", "0"]),
        ([ORDER_WIDE], "item", None, ["5.00", "10.00"]),
        ([ORDER_WIDE, off("13.50")], "auto", "28.50", ["0", "0"]),
        ([ON_ONE_LINE], "auto", None, ["0", "3.00"]),
        ([ON_ONE_LINE], "order", "3.00", ["0", "0"]),
        # mixed: 10 % of 50.00 and of 100.00 - 3.00
        ([ON_ONE_LINE, ORDER_WIDE], "auto", None, ["5.00", "12.70"]),
        ([ON_ONE_LINE, ORDER_WIDE], "order", "17.70", ["0", "0"]),
        ([], "order", None, ["0", "0"]),
        ([], "item", None, ["0", "0"]),
    ],
)
def test_a_discount_is_reported_once(
    discounts: list[object], rule: str, on_order: str | None, on_items: list[str]
) -> None:
    """Two lines, 50.00 and 100.00; whatever the form, the net is 150.00 less all discounts."""
    about = order(line("50.00", 1, "A"), line("100.00", 1, "B"), discounts=discounts)
    sent = form(asked(about, discounts=rule))
    assert sent.get("OrderDiscount") == on_order
    assert [discount for *_, discount in items(sent)] == [D(amount) for amount in on_items]
    assert net(sent) == D("150.00") - D(on_order or 0) - sum(map(D, on_items), D(0))


@pytest.mark.parametrize(
    ("method", "value_type", "is_once"),
    [
        ("across", "percentage", True),
        ("across", "fixed_amount", True),
        ("each", "percentage", True),
        ("each", "fixed_amount", False),
        ("one", "percentage", False),
        ("one", "fixed_amount", False),
    ],
)
def test_only_what_the_shop_spread_in_proportion_is_a_discount_of_the_order(
    method: str, value_type: str, is_once: bool
) -> None:
    """impact.com spreads an order discount in proportion; a discount on one line or per unit is not so."""
    discount = replace(off("10.00"), value_type=value_type, method=method)
    about = order(line("50.00", 1, "A"), line("100.00", 1, "B"), discounts=[discount])
    assert ("OrderDiscount" in form(asked(about))) is is_once


def test_an_order_discount_is_not_spread_over_what_it_never_touched() -> None:
    """
    10 % off all goods; the gift card and the shipping count by rule and were not reduced:

    | item      | list   | off  |
    | A         | 50.00  | 5.00 |
    | gift card | 100.00 | 0    |
    | shipping  | 7.00   | 0    |
    """
    card = line("100.00", 1, "CARD", gift_card=True)
    about = order(line("50.00", 1, "A"), card, discounts=[ORDER_WIDE], shipping=D("7.00"))
    assert form(asked(about))["OrderDiscount"] == "5.00"
    for include in ("gift_cards", "shipping"):
        sent = form(asked(about, include=include))
        assert "OrderDiscount" not in sent
        assert items(sent)[0] == ("A", 1, D("50.00"), D("5.00"))


def test_a_reduction_without_its_application_stays_on_its_line() -> None:
    """Applications made by an order edit are missing from the list; 20.00 - 2.00 all the same."""
    raw = body(line("20.00"), discounts=[percent("10")])
    lines(raw)[0]["discount_allocations"][0]["discount_application_index"] = 7
    sent = form(asked(read(raw)))
    assert items(sent) == [("A", 1, D("20.00"), D("2.00"))]


def test_shipping_discounts_never_count() -> None:
    """
    Goods 40.00, shipping 8.00 free by code: the items keep 40.00 and there is no discount at all.
    With shipping counted by rule it is 8.00 - 8.00 = nothing, or 8.00 - 3.00 = 5.00.
    """
    free = percent("100", target="shipping_line", name="FREESHIP")
    about = order(line("40.00"), shipping=D("8.00"), discounts=[free])
    sent = form(asked(about))
    assert (items(sent), "OrderDiscount" in sent) == ([("A", 1, D("40.00"), D("0"))], False)
    assert sent["OrderPromoCode"] == "FREESHIP"
    assert items(form(asked(about, include="shipping"))) == [("A", 1, D("40.00"), D("0"))]
    part = order(line("40.00"), shipping=D("8.00"), discounts=[off("3.00", target="shipping_line", name="S")])
    assert items(form(asked(part, include="shipping")))[1] == ("shipping", 1, D("8.00") - D("3.00"), D("0"))


def test_an_item_discount_beyond_its_field_is_sent_as_the_price_after_it() -> None:
    """
    ItemTotalDiscount takes 999,999.99 at most; 3,000,000 KRW less a third is 1,999,999 without the field.
    """
    entitled = {"selection": "entitled", "entitled": (0,)}
    small = order(line("3000000"), currency="KRW", discounts=[off("999999", **entitled)])
    assert items(form(asked(small))) == [("A", 1, D("3000000"), D("999999"))]
    large = order(line("3000000"), currency="KRW", discounts=[off("1000001", **entitled)])
    assert items(form(asked(large))) == [("A", 1, D("3000000") - D("1000001"), D("0"))]


# What does not count, and what may


def everything() -> Body:
    """Goods 100.00, gift card 50.00, tip 4.00, duties 6.00, fees 2.00, shipping 8.00; 10 % tax on top."""
    return body(
        line("100.00", 1, "GOODS", tax="0.10"),
        line("50.00", 1, "CARD", gift_card=True, title="Gift card"),
        line("4.00", 1, None, tip=True, title="Tip"),
        duties=D("6.00"),
        fees=D("2.00"),
        shipping=D("8.00"),
        shipping_tax_rate=D("0.10"),
    )


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("none", [("GOODS", "100.00")]),
        ("gift_cards", [("GOODS", "100.00"), ("CARD", "50.00")]),
        ("tips", [("GOODS", "100.00"), ("tip", "4.00")]),
        ("duties", [("GOODS", "100.00"), ("duties", "6.00")]),
        ("fees", [("GOODS", "100.00"), ("fees", "2.00")]),
        ("shipping", [("GOODS", "100.00"), ("shipping", "8.00")]),
        ("shipping,tax", [("GOODS", "110.00"), ("shipping", "8.80")]),
        (
            "gift_cards, tips, duties, fees, shipping, tax",
            [
                ("GOODS", "110.00"),
                ("CARD", "50.00"),
                ("tip", "4.00"),
                ("shipping", "8.80"),
                ("duties", "6.00"),
                ("fees", "2.00"),
            ],
        ),
    ],
)
def test_only_goods_count_unless_a_rule_says_otherwise(include: str, expected: list[tuple[str, str]]) -> None:
    sent = form(asked(read(everything()), include=include))
    assert [(sku, subtotal) for sku, _, subtotal, _ in items(sent)] == [
        (sku, D(amount)) for sku, amount in expected
    ]


def test_shipping_with_contained_tax_counts_without_it() -> None:
    """8.80 with 10 % contained is 8.00 without; with tax counted, 8.80."""
    about = order(line("100.00"), shipping=D("8.80"), shipping_tax_rate=D("0.10"), taxes_included=True)
    assert items(form(asked(about, include="shipping")))[1][2] == D("8.80") - D("0.80")
    assert items(form(asked(about, include="shipping,tax")))[1][2] == D("8.80")


def test_a_tip_is_told_from_a_custom_line() -> None:
    """A custom engraving of 4.00 beside a tip of 4.00 stays; the tip goes, in whatever language."""
    engraving = line("4.00", 1, None, product_id=None, variant_id=None, title="Engraving")
    for title in ("Tip", " tip", "Trinkgeld"):
        sent = form(asked(order(engraving, line("4.00", 1, None, tip=True, title=title))))
        assert [(sku, subtotal) for sku, _, subtotal, _ in items(sent)] == [("engraving", D("4.00"))]
    sent = form(asked(order(engraving)))
    assert net(sent) == D("4.00")


def test_free_items_are_sent_or_left_out_by_rule() -> None:
    """A gift priced 0.00 and one reduced to 0.00; neither changes the net of 20.00."""
    about = order(
        line("20.00", 1, "PAID"),
        line("0.00", 1, "GIFT"),
        line("5.00", 2, "FREED"),
        discounts=[percent("100", selection="entitled", entitled=(2,))],
    )
    sent = form(asked(about))
    assert [(sku, subtotal, discount) for sku, _, subtotal, discount in items(sent)] == [
        ("PAID", D("20.00"), D("0")),
        ("GIFT", D("0"), D("0")),
        ("FREED", 2 * D("5.00"), D("10.00")),
    ]
    assert net(sent) == D("20.00")
    left = form(asked(about, zero_items="skip"))
    assert items(left) == [("PAID", 1, D("20.00"), D("0"))]


# Two currencies


def test_shop_money_or_shopper_money_never_both() -> None:
    """
    2 x 10.00 USD at 0.90 EUR for a dollar, a tenth off:

    | side    | list      | off  | net   |
    | shop    | 20.00 USD | 2.00 | 18.00 |
    | shopper | 18.00 EUR | 1.80 | 16.20 |
    """
    about = order(
        line("10.00", 2), discounts=[percent("10")], presentment_currency="EUR", exchange_rate=D("0.9")
    )
    shop, shopper = form(asked(about)), form(asked(about, money="shopper"))
    assert (shop["CurrencyCode"], net(shop), shop["OrderDiscount"]) == ("USD", 2 * D("10") - D("2"), "2.00")
    assert (shopper["CurrencyCode"], net(shopper)) == ("EUR", 2 * D("9") - D("1.8"))
    assert shopper["OrderDiscount"] == "1.80"


@pytest.mark.parametrize(
    ("currency", "price", "subtotal"),
    [("JPY", "1200", "3600"), ("USD", "12.34", "37.02"), ("KWD", "1.234", "3.702")],
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, price: str, subtotal: str) -> None:
    sent = form(asked(order(line(price, 3), currency=currency)))
    assert (sent["ItemSubTotal1"], sent["CurrencyCode"]) == (subtotal, currency)


def test_exponents_follow_iso_4217() -> None:
    found = {code: exponent(code) for code in ("JPY", "KRW", "CLP", "USD", "EUR", "BHD", "TND", "CLF")}
    assert found == {"JPY": 0, "KRW": 0, "CLP": 0, "USD": 2, "EUR": 2, "BHD": 3, "TND": 3, "CLF": 4}


def test_a_share_is_exact_and_odd_cents_go_to_the_largest_remainders() -> None:
    """10.00 by 1 : 1 : 1 is 3.34, 3.33, 3.33; by 1 : 2 it is 3.33, 6.67; by nothing, even halves."""
    parts = share(money("10.00"), [D(1), D(1), D(1)])
    assert [part.amount for part in parts] == [D("3.34"), D("3.33"), D("3.33")]
    assert [part.amount for part in share(money("10.00"), [D(1), D(2)])] == [D("3.33"), D("6.67")]
    assert [part.amount for part in share(money("0.03"), [D(0), D(0)])] == [D("0.02"), D("0.01")]
    assert share(money("1.00"), []) == []
    assert [part.amount for part in share(money("7", "JPY"), [D(1), D(1)])] == [D("4"), D("3")]


# SKUs and categories


def test_lines_of_one_sku_become_one_item() -> None:
    """
    | line | price x units | off  |
    | A    | 10.00 x 2     | 1.00 |
    | B    | 7.00 x 1      | 0    |
    | A    | 12.00 x 1     | 0    |

    A: 3 units, 2 x 10.00 + 12.00 = 32.00, 1.00 off.
    """
    about = order(
        line("10.00", 2, "A"),
        line("7.00", 1, "B"),
        line("12.00", 1, "A"),
        discounts=[off("1.00", selection="entitled", entitled=(0,))],
    )
    assert items(form(asked(about))) == [
        ("A", 2 + 1, 2 * D("10.00") + D("12.00"), D("1.00")),
        ("B", 1, D("7.00"), D("0")),
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"sku": " A 1 "}, "A 1"),
        ({"sku": "", "variant_id": 22, "product_id": 11}, "22"),
        ({"sku": None, "variant_id": None, "product_id": 11}, "11"),
        ({"sku": None, "variant_id": None, "product_id": None, "title": "Größe M & Co."}, "grösse-m-co"),
        ({"sku": None, "variant_id": None, "product_id": None, "title": "✂✂"}, "450789533"),
        ({"sku": "L" * 300}, "L" * 255),
    ],
)
def test_a_missing_sku_falls_back(more: dict[str, object], expected: str) -> None:
    """To the variant's id, the product's, the title in plain characters, and last the line's own id."""
    assert form(asked(order(line("1.00", 1, **more))))["ItemSku1"] == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, "Hoses"),
        ({"category": "category"}, "Home & Garden"),
        ({"category": "vendor"}, "Impact Demo"),
    ],
)
def test_the_category_is_chosen_by_rule(rules: dict[str, str], expected: str) -> None:
    about = order(line("1.00"))
    known = replace(about.lines[0], product_type="Hoses", category="Home & Garden")
    assert form(asked(replace(about, lines=(known,)), **rules))["ItemCategory1"] == expected


def test_a_missing_category_falls_back_since_the_field_is_required() -> None:
    about = order(line("1.00", vendor=None))
    for rule in ("product_type", "category", "vendor"):
        assert form(asked(about, category=rule))["ItemCategory1"] == "General"
        assert form(asked(about, category=rule, category_fallback="Other"))["ItemCategory1"] == "Other"


def test_the_brand_is_sent_only_by_rule() -> None:
    about = order(line("1.00"))
    assert "ItemBrand1" not in form(asked(about))
    assert form(asked(about, brand="yes"))["ItemBrand1"] == "Impact Demo"


# Refunds before the first report


def test_an_order_refunded_in_part_is_first_reported_as_what_is_kept() -> None:
    """
    3 x 10.00 less 10 %, and 20.00; one unit of A comes back for 9.00:

    | line | kept | list  | paid          | off  |
    | A    | 2    | 20.00 | 27.00 - 9.00  | 2.00 |
    | B    | 1    | 20.00 | 18.00         | 2.00 |
    """
    raw = body(line("10.00", 3, "A"), line("20.00", 1, "B"), discounts=[percent("10")])
    _, after = refund(raw, {lines(raw)[0]["id"]: 1})
    sent = form(asked(read(after)))
    assert items(sent) == [("A", 2, D("20.00"), D("0")), ("B", 1, D("20.00"), D("0"))]
    assert sent["OrderDiscount"] == "4.00"
    assert net(sent) == (27 - 9) + 18


def test_a_refund_takes_its_own_tax_out() -> None:
    """3 x 11.90 with 19 % contained: 35.70 holds 5.70; one unit returns 11.90 with 1.90: 23.80 - 3.80."""
    raw = body(line("11.90", 3, tax="0.19"), taxes_included=True)
    _, after = refund(raw, {lines(raw)[0]["id"]: 1})
    assert net(form(asked(read(after)))) == (D("35.70") - D("11.90")) - (D("5.70") - D("1.90"))


def test_units_that_left_without_money_take_their_share_and_the_odd_cent() -> None:
    """Shopify has refunds of 0.0 with a quantity: 2 units worth 1.01 together, one leaves with 0.51."""
    raw = body(line("0.51", 2), discounts=[off("0.01", selection="entitled", entitled=(0,))])
    _, after = refund(raw, {lines(raw)[0]["id"]: 1}, subtotals={lines(raw)[0]["id"]: D(0)})
    sent = form(asked(read(after)))
    assert (sent["ItemQuantity1"], net(sent)) == ("1", D("1.01") - D("0.51"))


def test_a_refund_of_less_than_its_units_cost_leaves_more_than_the_list_price() -> None:
    """2 x 10.00, one returned for 4.00: the kept unit stands for 16.00, with no discount below zero."""
    raw = body(line("10.00", 2))
    _, after = refund(raw, {lines(raw)[0]["id"]: 1}, subtotals={lines(raw)[0]["id"]: D("4.00")})
    after["current_subtotal_price"] = None
    after["current_subtotal_price_set"] = None
    assert items(form(asked(read(after)))) == [("A", 1, D("20.00") - D("4.00"), D("0"))]


# Held where sums disagree


def test_an_order_whose_lines_miss_the_subtotal_by_a_cent_is_held() -> None:
    for amount in ("19.99", "20.01"):
        raw = body(line("10.00", 2))
        raw["subtotal_price"] = raw["subtotal_price_set"]["shop_money"]["amount"] = amount
        found = asked(read(raw))
        assert (found.step, found.reason, found.verdict) == (
            None,
            Reason.TOTALS_DISAGREE,
            Verdict.ATTENTION,
        )
        assert found.detail == f"The items come to 20.00 USD as ordered; the store says {amount} USD."


def test_an_order_whose_kept_lines_miss_the_current_subtotal_is_held() -> None:
    raw = body(line("10.00", 2))
    _, after = refund(raw, {lines(raw)[0]["id"]: 1})
    after["current_subtotal_price_set"]["shop_money"]["amount"] = "10.01"
    found = asked(read(after))
    assert (found.step, found.reason) == (None, Reason.TOTALS_DISAGREE)
    assert found.detail == "The items kept come to 10.00 USD; the store says 10.01 USD."


def test_only_the_side_that_is_reported_has_to_agree() -> None:
    raw = body(line("10.00", 2), presentment_currency="EUR", exchange_rate=D("0.9"))
    raw["subtotal_price_set"]["presentment_money"]["amount"] = "18.01"
    assert asked(read(raw)).reason is Reason.QUEUED
    assert asked(read(raw), money="shopper").reason is Reason.TOTALS_DISAGREE


def test_gift_cards_count_in_the_comparison_though_they_are_not_reported() -> None:
    """Lines 100.00 + 50.00 + 4.00 agree with the store's 154.00; 100.00 is reported."""
    found = asked(read(everything()))
    assert found.sums.items_as_ordered == found.sums.store_as_ordered == money("154.00")
    assert found.sums.excluded_now == money("54.00")
    assert found.conversion.net == money("100.00")


def test_amounts_finer_than_the_currency_are_held_not_rounded() -> None:
    raw = body(line("1000"), currency="JPY")
    for place in (lines(raw)[0]["price_set"], raw["subtotal_price_set"], raw["current_subtotal_price_set"]):
        place["shop_money"]["amount"] = place["presentment_money"]["amount"] = "1000.5"
    found = asked(read(raw))
    assert found.reason is Reason.TOTALS_DISAGREE
    assert "1000.5 has more digits than JPY allows" in found.detail


def test_an_extra_that_cannot_be_charged_is_held_where_it_counts() -> None:
    raw = body(line("10.00"), shipping=D("4.00"))
    raw["current_shipping_price_set"]["shop_money"]["amount"] = "-4.00"
    found = asked(read(raw), include="shipping")
    assert (found.reason, found.detail) == (
        Reason.TOTALS_DISAGREE,
        "shipping: -4.00 USD cannot be charged.",
    )
    assert net(form(asked(read(raw)))) == D("10.00")


def test_amounts_of_two_currencies_do_not_add() -> None:

    with pytest.raises(CurrencyMismatch):
        _ = Money(D(1), "USD") + Money(D(1), "EUR")
