"""What an action is worth: discounts, shares and commissions, to the smallest unit of each currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact_app.simulator.network import Partner, Setup
from impact_app.simulator.network.money import spread

from .brand import Brand, brand

UNITS = {"JPY": Decimal(1), "EUR": Decimal("0.01"), "KWD": Decimal("0.001")}
ITEMS = ("ItemSubTotal1", "ItemSubTotal2", "OrderDiscount")


@pytest.fixture(scope="module")
def shared():
    with brand(Setup(rate_limit=None)) as caller:
        yield caller


@pytest.fixture
def caller(shared: Brand):
    shared.network.books.reset()
    return shared


def amounts(caller: Brand) -> list[str]:
    return [item["amount"] for item in caller.action()["items"]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # unit price times quantity: 2 * 14.00 and 3 * 33.00
        ({"ItemPrice1": "14.00", "ItemPrice2": "33.00"}, ["28.00", "99.00"]),
        # line discount: 28.00 - 3.00
        (
            {"ItemSubTotal1": "28.00", "ItemTotalDiscount1": "3.00", "ItemSubTotal2": "99.00"},
            ["25.00", "99.00"],
        ),
        # discount per unit: 99.00 - 3 * 1.10
        ({"ItemSubTotal1": "28.00", "ItemSubTotal2": "99.00", "ItemDiscount2": "1.10"}, ["28.00", "95.70"]),
        # percent of a line: 99.00 - 33.3 % of it, 32.967 rounded to 32.97
        (
            {"ItemSubTotal1": "28.00", "ItemSubTotal2": "99.00", "ItemDiscountRate2": "33.3"},
            ["28.00", "66.03"],
        ),
        # percent of the order: 10 % of 127.00 is 12.70, shared 2.80 and 9.90
        ({"ItemSubTotal1": "28.00", "ItemSubTotal2": "99.00", "OrderDiscountRate": "10"}, ["25.20", "89.10"]),
        # a line discount first, the order's share after it: 12.40 * 25/124 = 2.50, 12.40 * 99/124 = 9.90
        (
            {
                "ItemSubTotal1": "28.00",
                "ItemTotalDiscount1": "3.00",
                "ItemSubTotal2": "99.00",
                "OrderDiscount": "12.40",
            },
            ["22.50", "89.10"],
        ),
        # the whole order taken off
        ({"ItemSubTotal1": "28.00", "ItemSubTotal2": "99.00", "OrderDiscount": "127.00"}, ["0.00", "0.00"]),
        # one yen over two equal lines goes to the first
        (
            {"CurrencyCode": "JPY", "ItemSubTotal1": "500", "ItemSubTotal2": "500", "OrderDiscount": "1"},
            ["499", "500"],
        ),
        # three decimals: 0.001 over 28.000 and 99.000 goes to the larger
        (
            {
                "CurrencyCode": "KWD",
                "ItemSubTotal1": "28.000",
                "ItemSubTotal2": "99",
                "OrderDiscount": "0.001",
            },
            ["28.000", "98.999"],
        ),
    ],
)
def test_items_are_worth_what_is_left_after_discounts(caller: Brand, changes, expected):
    assert caller.submit(ITEMS, **changes).status_code == 200
    assert amounts(caller) == expected


ITEM_FIELDS = tuple(
    f"Item{name}{n}" for name in ("Sku", "Name", "Category", "Quantity", "SubTotal") for n in (1, 2)
)


def test_an_order_without_items_has_one_item(caller: Brand):
    caller.submit(ITEM_FIELDS, Amount="112.00", OrderDiscount="12.00")
    assert amounts(caller) == ["100.00"]  # 112.00 - 12.00


def test_a_post_discount_amount_is_not_reduced_again(caller: Brand):
    caller.submit(ITEM_FIELDS, OrderSubTotalPostDiscount="112.00", OrderDiscount="15.00")
    assert amounts(caller) == ["112.00"]


def test_each_partner_has_its_rate():
    with brand(Setup(partners=(Partner(20001, "Blog", Decimal("0.125")),))) as caller:
        caller.submit()
        # 12.5 % of 24.69 is 3.08625, of 87.31 is 10.91375
        assert [item["payout"] for item in caller.action()["items"]] == ["3.09", "10.91"]
        assert caller.action()["payout"] == "14.00"


@given(data=st.data(), currency=st.sampled_from(sorted(UNITS)))
def test_shares_add_up_and_none_exceeds_its_weight(data: st.DataObject, currency: str):
    unit = UNITS[currency]
    weights = [unit * n for n in data.draw(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))]
    whole = int(sum(weights) / unit)
    total = unit * data.draw(st.integers(0, whole))
    shares = spread(total, weights, currency)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share <= weight
        if whole:
            assert abs(share - total * weight / (whole * unit)) < unit
