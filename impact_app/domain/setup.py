"""The way from an installed app to a booked test order: nine steps, and where a store stands with each.

Facts come in, a `Standing` for each step goes out. What can be found about a step is a table: its light, the
sentence, what is to be done, who does it, and the place that the page links to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from impact_app.domain.programs import (
    NEEDS,
    Allowance,
    Need,
    Program,
    Told,
    click_parameters,
    completed_parameters,
    uncovered,
)
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules

#: A delivery that nobody has looked into for so long means that no worker runs.
UNREAD = timedelta(minutes=10)

#: The storefront is set up a minute after the store was connected; later than this, no worker runs.
SET_UP_WITHIN = timedelta(minutes=15)


class StepName(StrEnum):
    """The steps, in the order in which they are taken."""

    PLATFORM = "platform"
    WEBHOOKS = "webhooks"
    ACCOUNT = "account"
    PROGRAM = "program"
    EVENT_TYPE = "event_type"
    WINDOW = "window"
    STOREFRONT = "storefront"
    PIXEL = "pixel"
    TEST_ORDER = "test_order"


@dataclass(frozen=True, slots=True)
class Step:
    """A step in words; `purpose`: what it is good for."""

    title: str
    purpose: str


STEPS: Mapping[StepName, Step] = {
    StepName.PLATFORM: Step(
        "Store connected", "The app needs leave to read orders, so that it can report them."
    ),
    StepName.WEBHOOKS: Step(
        "Orders arrive", "Your shop tells the app of each order within seconds, by a signed message."
    ),
    StepName.ACCOUNT: Step(
        "impact.com account",
        "The account SID and an auth token stand at impact.com under Settings, API.",
    ),
    StepName.PROGRAM: Step(
        "Program", "Orders are reported to one program, which impact.com also calls a campaign."
    ),
    StepName.EVENT_TYPE: Step(
        "Event type", "It tells impact.com that an order is a sale, and which commission it earns."
    ),
    StepName.WINDOW: Step("Referral window", "For how long after a click an order still counts."),
    StepName.STOREFRONT: Step(
        "Clicks are kept in the shop",
        "A script keeps the click of a partner's link until the order.",
    ),
    StepName.PIXEL: Step(
        "Web pixel", "It tells the app of clicks where the cart cannot carry them, as in express checkouts."
    ),
    StepName.TEST_ORDER: Step(
        "Test order", "One order that is followed from the click to the action that impact.com books."
    ),
}


class Light(StrEnum):
    """How a step stands. A warning is done, and could be better."""

    PASSED = "passed"
    WARNING = "warning"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_NEEDED = "not_needed"


#: What counts where several things are found about one step, the gravest at the end.
_GRAVITY = (Light.NOT_NEEDED, Light.PASSED, Light.WARNING, Light.WAITING, Light.FAILED)

#: A step with one of these needs nothing more.
DONE = frozenset({Light.PASSED, Light.WARNING, Light.NOT_NEEDED})


class Link(StrEnum):
    """Where to act, by name; the page knows the addresses. `HERE`: on the step itself."""

    HERE = "here"
    INSTALL = "install"
    OPEN_APP = "open_app"
    STORE_ORDERS = "store_orders"
    DEVELOPER = "developer"
    HEALTH = "health"
    IMPACT = "impact"
    THEME_EDITOR = "theme_editor"
    ATTENTION = "attention"
    RULES = "rules"
    ORDERS = "orders"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What was found, in words.

    sentence  what is (wrong); `%(name)s` stands for a value
    act       what is to be done, "" where there is nothing
    actor     who does it, as in `messages.ACTORS`
    """

    light: Light
    sentence: str
    act: str = ""
    actor: str = "nobody"
    link: Link | None = None


class Finding(StrEnum):
    """Everything that can be found about a step."""

    CONNECTED = "connected"
    UNINSTALLED = "uninstalled"
    NO_TOKEN = "no_token"  # noqa: S105 - a name
    TOKEN_ENDED = "token_ended"  # noqa: S105 - a name
    SCOPE_MISSING = "scope_missing"
    SCOPE_WANTED = "scope_wanted"
    SCOPES_UNKNOWN = "scopes_unknown"

    ARRIVING = "arriving"
    NOT_INSTALLED = "not_installed"
    ADDRESS_PRIVATE = "address_private"
    NOTHING_YET = "nothing_yet"
    NOT_DELIVERED = "not_delivered"
    SILENT = "silent"
    UNREAD_DELIVERIES = "unread_deliveries"
    SIGNATURES_REFUSED = "signatures_refused"

    ACCOUNT_WORKS = "account_works"
    ACCOUNT_MISSING = "account_missing"
    ACCOUNT_UNTRIED = "account_untried"
    ACCOUNT_REFUSED = "account_refused"
    ACCOUNT_LIMITED = "account_limited"
    ACCOUNT_UNREACHABLE = "account_unreachable"
    ACCOUNT_UNEXPECTED = "account_unexpected"
    TOKEN_UNREADABLE = "token_unreadable"  # noqa: S105 - a name
    RIGHT_REQUIRED = "right_required"
    RIGHT_WANTED = "right_wanted"

    PROGRAM_ACTIVE = "program_active"
    PROGRAM_LATER = "program_later"
    PROGRAM_MISSING = "program_missing"
    PROGRAM_UNREAD = "program_unread"
    PROGRAM_UNKNOWN = "program_unknown"
    PROGRAM_NOT_ACTIVE = "program_not_active"
    PARAMETER_READ = "parameter_read"
    PARAMETER_UNUSABLE = "parameter_unusable"
    PARAMETER_NOT_LOOKED_FOR = "parameter_not_looked_for"
    TEMPLATE_WITHOUT_CLICK = "template_without_click"
    TEMPLATE_NOT_TOLD = "template_not_told"
    DEEP_LINKS_OFF = "deep_links_off"
    DOMAIN_NOT_PERMITTED = "domain_not_permitted"
    PROMO_CODES_ON = "promo_codes_on"
    PROMO_CODES_OFF = "promo_codes_off"

    EVENT_MET = "event_met"
    EVENT_IN_CONTRACTS = "event_in_contracts"
    EVENT_MISSING = "event_missing"
    EVENT_NOT_MET = "event_not_met"
    EVENT_IN_NO_CONTRACT = "event_in_no_contract"
    EVENT_REFUSED = "event_refused"

    WINDOW_KEPT = "window_kept"
    WINDOW_AT_LEAST = "window_at_least"
    WINDOW_LATER = "window_later"
    WINDOW_ASSUMED = "window_assumed"
    WINDOW_TOO_SHORT = "window_too_short"
    WINDOW_TOO_LONG = "window_too_long"

    EMBED_ON = "embed_on"
    EMBED_SEEN = "embed_seen"
    EMBED_OFF = "embed_off"
    EMBED_NOT_DEPLOYED = "embed_not_deployed"
    EMBED_UNKNOWN = "embed_unknown"
    MODULE_SEEN = "module_seen"
    MODULE_NOT_SEEN = "module_not_seen"

    PIXEL_CONNECTED = "pixel_connected"
    PIXEL_NOT_NEEDED = "pixel_not_needed"
    PIXEL_SOON = "pixel_soon"
    PIXEL_LATE = "pixel_late"
    PIXEL_REFUSED = "pixel_refused"

    BOOKED = "booked"
    NOT_CREDITED = "not_credited"
    BOOKING_UNSEEN = "booking_unseen"
    BOOKING_AWAITED = "booking_awaited"
    SHADOW_MODE = "shadow_mode"
    TEST_LATER = "test_later"
    TEST_MISSING = "test_missing"


_P, _WARN, _WAIT, _F = Light.PASSED, Light.WARNING, Light.WAITING, Light.FAILED

FINDINGS: Mapping[Finding, Meaning] = {
    # the store
    Finding.CONNECTED: Meaning(_P, "%(domain)s is connected, and the app may do all it needs."),
    Finding.UNINSTALLED: Meaning(
        _F,
        "The app is not installed in %(domain)s any more, so nothing arrives and nothing is reported.",
        "Install it again. Settings and history are kept.",
        "merchant",
        Link.INSTALL,
    ),
    Finding.NO_TOKEN: Meaning(
        _F,
        "The app has no access to %(domain)s yet: orders arrive, but nothing can be asked.",
        "Open the app once in your shop's admin; it gets its access then.",
        "merchant",
        Link.OPEN_APP,
    ),
    Finding.TOKEN_ENDED: Meaning(
        _F,
        "The app's access to %(domain)s has ended: %(reason)s",
        "Open the app once in your shop's admin; that renews it.",
        "merchant",
        Link.OPEN_APP,
    ),
    Finding.SCOPE_MISSING: Meaning(
        _F,
        "The app lacks the permission %(scopes)s, without which no order arrives.",
        "Open the app in your shop's admin and agree to what it asks for.",
        "merchant",
        Link.OPEN_APP,
    ),
    Finding.SCOPE_WANTED: Meaning(
        _WARN,
        "The app lacks the permission %(scopes)s. Orders are reported all the same, with less known of "
        "products, the theme or the web pixel.",
        "Open the app in your shop's admin and agree to what it asks for.",
        "merchant",
        Link.OPEN_APP,
    ),
    Finding.SCOPES_UNKNOWN: Meaning(
        _P,
        "%(domain)s is connected by a token given by hand. What it may do shows with the first order.",
    ),
    # deliveries
    Finding.ARRIVING: Meaning(_P, "The last message came on %(last)s, and its signature held."),
    Finding.NOT_INSTALLED: Meaning(
        _WAIT,
        "This goes on once the app is installed again.",
    ),
    Finding.ADDRESS_PRIVATE: Meaning(
        _F,
        "The app's address is %(address)s. Your shop delivers to public https addresses only.",
        "Give the app a public https address, set it as APP_URL, and start the app anew.",
        "operator",
        Link.DEVELOPER,
    ),
    Finding.NOTHING_YET: Meaning(
        _WAIT,
        "Nothing has arrived yet. The first order brings it.",
        "To see it now, add a note to any order in your shop: that is told within a minute.",
        "nobody",
        Link.STORE_ORDERS,
    ),
    Finding.NOT_DELIVERED: Meaning(
        _F,
        "Orders that the app found by asking your shop: %(orders)s. None of them was delivered. They are "
        "reported up to an hour late.",
        "Deploy the app's configuration again, and look whether the address in it is that of the app.",
        "operator",
        Link.DEVELOPER,
    ),
    Finding.SILENT: Meaning(
        _F,
        "%(words)s",
        "Look in your shop for new orders. If there are any, open the app there once: the webhooks are "
        "set up again then.",
        "operator",
        Link.STORE_ORDERS,
    ),
    Finding.UNREAD_DELIVERIES: Meaning(
        _F,
        "Messages arrive, but nobody has looked into them since %(since)s.",
        "Start the worker: `make run` starts all processes.",
        "operator",
        Link.HEALTH,
    ),
    Finding.SIGNATURES_REFUSED: Meaning(
        _F,
        "Messages arrive whose signature does not hold, the last on %(last)s. They are turned away.",
        "Compare the app's secret with the one in your shop's settings of the app, and start the app anew.",
        "operator",
        Link.DEVELOPER,
    ),
    # credentials
    Finding.ACCOUNT_WORKS: Meaning(_P, "%(told)s"),
    Finding.ACCOUNT_MISSING: Meaning(
        _WAIT,
        "No account is entered yet. Orders that come in wait meanwhile.",
        "Copy both from impact.com, and save: they are tried at once.",
        "merchant",
        Link.HERE,
    ),
    Finding.ACCOUNT_UNTRIED: Meaning(
        _WAIT,
        "The account is entered, and was not tried yet.",
        "Press Check again.",
        "merchant",
        Link.HERE,
    ),
    Finding.ACCOUNT_REFUSED: Meaning(
        _F,
        "impact.com refuses this account SID and auth token. Nothing is reported until it takes them.",
        "Copy both once more from impact.com, and save.",
        "merchant",
        Link.HERE,
    ),
    Finding.ACCOUNT_LIMITED: Meaning(
        _P, "impact.com knows these credentials; the token may not read the account, which is no fault."
    ),
    Finding.ACCOUNT_UNREACHABLE: Meaning(
        _WAIT,
        "%(told)s",
        "Press Check again in a few minutes. If it stays so, look whether this machine may call impact.com.",
        "operator",
        Link.HERE,
    ),
    Finding.ACCOUNT_UNEXPECTED: Meaning(
        _F,
        "%(told)s",
        "Correct IMPACT_API_URL, and start the app anew.",
        "operator",
        Link.HEALTH,
    ),
    Finding.TOKEN_UNREADABLE: Meaning(
        _F,
        "The stored auth token cannot be read any more: the app's secret key has changed.",
        "Enter the auth token again, and save.",
        "merchant",
        Link.HERE,
    ),
    Finding.RIGHT_REQUIRED: Meaning(
        _F,
        "The token lacks the scope %(scope)s. The app needs it for this: %(use)s",
        "Give the token this scope at impact.com under Settings, API, and press Check again.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.RIGHT_WANTED: Meaning(
        _WARN,
        "The token lacks the scope %(scope)s. The app would use it for this: %(use)s",
        "Give the token this scope at impact.com under Settings, API, if you want that.",
        "merchant",
        Link.IMPACT,
    ),
    # the program
    Finding.PROGRAM_ACTIVE: Meaning(_P, "Orders go to %(name)s (%(id)s), which is active."),
    Finding.PROGRAM_LATER: Meaning(_WAIT, "Your programs are listed here once impact.com takes the account."),
    Finding.PROGRAM_MISSING: Meaning(
        _WAIT, "No program is chosen yet.", "Choose the program, and save.", "merchant", Link.HERE
    ),
    Finding.PROGRAM_UNREAD: Meaning(
        _WARN,
        "Orders go to program %(id)s. The token may not read programs, so nothing about it could be checked.",
        "Compare the number with impact.com, or give the token the scope Programs: read.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.PROGRAM_UNKNOWN: Meaning(
        _F,
        "The account has no program %(id)s.",
        "Choose one of the account's programs, and save.",
        "merchant",
        Link.HERE,
    ),
    Finding.PROGRAM_NOT_ACTIVE: Meaning(
        _F,
        "The program %(name)s is not active at impact.com (%(state)s), so no partner is credited.",
        "Activate the program at impact.com, or choose another one here.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.PARAMETER_READ: Meaning(
        _P, "Partners' links bring the click as %(names)s, and the app looks for that."
    ),
    Finding.PARAMETER_NOT_LOOKED_FOR: Meaning(
        _F,
        "Partners' links bring the click as %(names)s, and the app looks for %(known)s only.",
        "Add it to the rule Click parameters with the button below.",
        "merchant",
        Link.HERE,
    ),
    Finding.PARAMETER_UNUSABLE: Meaning(
        _F,
        "Partners' links bring the click as %(names)s, which is no name that the app can look for.",
        "Put im_ref={clickid} into the program's tracking template at impact.com instead.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.TEMPLATE_WITHOUT_CLICK: Meaning(
        _F,
        "The program's tracking template holds no {clickid}, so partners' links bring no click: %(template)s",
        "Put im_ref={clickid} into the program's tracking template at impact.com, in exactly this spelling.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.TEMPLATE_NOT_TOLD: Meaning(
        _WARN,
        "impact.com told no tracking template of this program. The test order shows whether a click arrives.",
        "See at impact.com that the program's tracking template holds im_ref={clickid}.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.DEEP_LINKS_OFF: Meaning(
        _WARN,
        "Deep linking is off in this program: partners can link to your landing page only.",
        "Switch deep linking on at impact.com, and permit your shop's domains.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.DOMAIN_NOT_PERMITTED: Meaning(
        _WARN,
        "Partners cannot link to pages of %(domains)s: the program does not permit it for deep links.",
        "Add it at impact.com to the program's deep link domains, with and without www.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.PROMO_CODES_ON: Meaning(_P, "Promo codes are tracked: a partner's code counts without a click."),
    Finding.PROMO_CODES_OFF: Meaning(
        _P, "Promo codes are not tracked in this program: only a click credits a partner."
    ),
    # the event type
    Finding.EVENT_MET: Meaning(_P, "impact.com has booked actions of event type %(name)s before."),
    Finding.EVENT_IN_CONTRACTS: Meaning(_P, "Your contracts pay for event type %(name)s."),
    Finding.EVENT_MISSING: Meaning(
        _WAIT,
        "No event type is entered yet.",
        "At impact.com under Settings, Event Types it is the number in brackets after the name.",
        "merchant",
        Link.HERE,
    ),
    Finding.EVENT_NOT_MET: Meaning(
        _WARN,
        "Nothing is known of event type %(id)s: impact.com lists none. The test order tries it.",
    ),
    Finding.EVENT_IN_NO_CONTRACT: Meaning(
        _F,
        "None of the program's contracts pays for event type %(id)s, so impact.com would credit no partner.",
        "Correct the number here, or add the event type to the contracts at impact.com.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.EVENT_REFUSED: Meaning(
        _F,
        "Orders that impact.com could not book under this program and event type: %(orders)s.",
        "Open Attention; what impact.com said and the repair stand there.",
        "merchant",
        Link.ATTENTION,
    ),
    # the referral window
    Finding.WINDOW_KEPT: Meaning(
        _P, "Your contracts count a click for %(days)s days, and the storefront keeps it as long."
    ),
    Finding.WINDOW_AT_LEAST: Meaning(
        _P,
        "You have more contracts than were read. Those that were count a click for up to %(days)s days, and "
        "the storefront keeps it for %(kept)s.",
    ),
    Finding.WINDOW_LATER: Meaning(_WAIT, "It is read from your contracts once the event type is entered."),
    Finding.WINDOW_ASSUMED: Meaning(
        _WARN,
        "The contracts tell no window, or the token may not read them. The storefront keeps a click for "
        "%(days)s days; 30 are usual.",
        "Compare it with your contracts at impact.com, and change the rule Referral window if it differs.",
        "merchant",
        Link.RULES,
    ),
    Finding.WINDOW_TOO_SHORT: Meaning(
        _F,
        "Your contracts count a click for %(days)s days, and the storefront keeps it for %(kept)s only. "
        "Later orders are not credited.",
        "Take over the contracts' window with the button below.",
        "merchant",
        Link.HERE,
    ),
    Finding.WINDOW_TOO_LONG: Meaning(
        _WARN,
        "Your contracts count a click for %(days)s days, and the storefront keeps it for %(kept)s. "
        "impact.com does not credit the later orders.",
        "Take over the contracts' window with the button below.",
        "merchant",
        Link.HERE,
    ),
    # the storefront
    Finding.EMBED_ON: Meaning(_P, "The app embed is on in your published theme."),
    Finding.EMBED_SEEN: Meaning(_P, "The script works: an order's cart carried a click on %(last)s."),
    Finding.EMBED_OFF: Meaning(
        _F,
        "The app embed is off in your published theme, so no click is kept.",
        "Switch the embed on in the theme editor, under App embeds, and save.",
        "merchant",
        Link.THEME_EDITOR,
    ),
    Finding.EMBED_NOT_DEPLOYED: Meaning(
        _F,
        "Your published theme does not offer the app embed: the app's extensions are not deployed, or the "
        "theme is too old for app embeds.",
        "Deploy the app's extensions with `shopify app deploy`, then switch the embed on.",
        "operator",
        Link.DEVELOPER,
    ),
    Finding.EMBED_UNKNOWN: Meaning(
        _WAIT,
        "Whether the app embed is on is not known yet; a new theme begins with it off.",
        "Switch the embed on in the theme editor and save. Then press Check again, in Shopify's admin.",
        "merchant",
        Link.THEME_EDITOR,
    ),
    Finding.MODULE_SEEN: Meaning(_P, "The storefront hands clicks over: an order carried one on %(last)s."),
    Finding.MODULE_NOT_SEEN: Meaning(
        _WAIT,
        "No order has carried a click yet. Your storefront writes it to the checkout, with the module for "
        "storefronts.",
        "Add the module to the storefront, open a page with ?im_ref=test behind its address, and order.",
        "developer",
        Link.TRIAL,
    ),
    # the pixel
    Finding.PIXEL_CONNECTED: Meaning(_P, "The web pixel is connected."),
    Finding.PIXEL_NOT_NEEDED: Meaning(
        Light.NOT_NEEDED, "Only Shopify has web pixels; your storefront tells of clicks itself."
    ),
    Finding.PIXEL_SOON: Meaning(_WAIT, "The web pixel is being connected. That takes a minute or two."),
    Finding.PIXEL_LATE: Meaning(
        _F,
        "The web pixel should be connected by now: nobody does what is due.",
        "Start the worker: `make run` starts all processes.",
        "operator",
        Link.HEALTH,
    ),
    Finding.PIXEL_REFUSED: Meaning(
        _F,
        "The web pixel is not connected: %(fault)s",
        "Do what is said, and press Check again.",
        "merchant",
        Link.OPEN_APP,
    ),
    # the test order
    Finding.BOOKED: Meaning(
        _P, "Order %(number)s was followed from its click to the action that impact.com booked."
    ),
    Finding.NOT_CREDITED: Meaning(
        _F,
        "impact.com took order %(number)s with its click, and credits no partner with it.",
        "Most often the click was made up or is of another program, or the partner has no contract for the "
        "event type. Test once more with a partner's own link from impact.com.",
        "merchant",
        Link.TRIAL,
    ),
    Finding.BOOKING_UNSEEN: Meaning(
        _WARN,
        "impact.com accepted order %(number)s with its click. Whether it was booked the token may not read.",
        "Look for the order among the actions at impact.com, or give the token the scope Actions: read.",
        "merchant",
        Link.IMPACT,
    ),
    Finding.BOOKING_AWAITED: Meaning(
        _WAIT,
        "Order %(number)s was reported with its click. impact.com books it within half an hour as a rule.",
        "Come back then: the page sees it by itself.",
        "impact.com",
        Link.ORDERS,
    ),
    Finding.SHADOW_MODE: Meaning(
        _WAIT,
        "Shadow mode is on: orders are judged and written down, and none is sent. So none can be booked.",
        "Switch the rule Sending to live for the test order.",
        "merchant",
        Link.RULES,
    ),
    Finding.TEST_LATER: Meaning(_WAIT, "It is made once the steps before it are done."),
    Finding.TEST_MISSING: Meaning(
        _WAIT,
        "No order was followed to impact.com yet.",
        "Make a test order; each of its stops is shown.",
        "merchant",
        Link.TRIAL,
    ),
}


@dataclass(frozen=True, slots=True)
class Said:
    """One finding with its values: text, numbers, moments, or several texts."""

    finding: Finding
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def meaning(self) -> Meaning:
        return FINDINGS[self.finding]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a store stands with one step: what was found, the gravest at the front."""

    step: StepName
    said: tuple[Said, ...]

    @property
    def light(self) -> Light:
        return self.said[0].meaning.light

    @property
    def is_done(self) -> bool:
        return self.light in DONE


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a store.

    needed, wanted    scopes of the platform without which nothing works, and those that make it better
    granted           the scopes it has; empty: not known
    address           where this app is reached; `is_reachable`: the store's platform can deliver there
    last_delivery     when something last arrived, None: nothing (lately)
    unread_since      since when a delivery waits to be looked into, None: none does
    refused_at        when a delivery was last turned away for its signature, None: none since one was taken
    undelivered       orders placed since the store was connected, that were found by asking for them
    silence           an alert's words about a silence longer than usual, ""
    held              why impact.com refuses every call of the account, None: it does not
    told              what impact.com told of the account; None: it was not asked
    hosts             the shop's own hosts
    unbookable        orders that impact.com could not book under program and event type
    embed_on          whether the app embed is on; None: not known
    carried_at        when an order's own cart or checkout last carried a click
    set_up_at         when the storefront was last set up; None: not yet
    booked, reported  the number of an order with a click that has an action, or was accepted; "": none
    is_uncredited     whether impact.com has said of the latter that it credits no partner
    """

    platform: str
    domain: str
    now: datetime
    connected_at: datetime
    is_connected: bool = True
    has_access: bool = True
    reauthorize_reason: str = ""
    needed: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    granted: frozenset[str] = frozenset()
    address: str = ""
    is_reachable: bool = True
    last_delivery: datetime | None = None
    unread_since: datetime | None = None
    refused_at: datetime | None = None
    undelivered: int = 0
    silence: str = ""
    account_sid: str = ""
    has_auth_token: bool = False
    is_token_readable: bool = True
    held: Reason | None = None
    told: Told | None = None
    campaign_id: str = ""
    event_type_id: str = ""
    rules: Rules = field(default_factory=Rules)
    hosts: tuple[str, ...] = ()
    unbookable: int = 0
    embed_on: bool | None = None
    is_embed_deployed: bool = True
    carried_at: datetime | None = None
    pixel_id: str = ""
    storefront_fault: str = ""
    set_up_at: datetime | None = None
    booked: str = ""
    reported: str = ""
    is_uncredited: bool = False

    @property
    def has_account(self) -> bool:
        return bool(self.account_sid and self.has_auth_token)

    @property
    def is_configured(self) -> bool:
        return bool(self.has_account and self.campaign_id and self.event_type_id)

    @property
    def suggested(self) -> Mapping[str, str]:
        """The rules that would be other if they followed what impact.com told, as texts."""
        found = {}
        if self.program is not None:
            completed = completed_parameters(self.program, self.rules.parameters)
            if completed != ", ".join(self.rules.parameters):
                found["parameters"] = completed
        days, kept = self.window, self.rules.referral_days
        if days is not None and (days > kept or (days < kept and self.are_contracts_known)):
            found["referral_days"] = str(days)
        return found

    @property
    def window(self) -> int | None:
        """The referral window of the contracts in days, None where they tell none."""
        return self.told.window(self.event_type_id) if self.told else None

    @property
    def are_contracts_known(self) -> bool:
        """Whether there are contracts, and all of them were read."""
        return bool(self.told and self.told.contracts and self.told.contracts_complete)

    @property
    def program(self) -> Program | None:
        """The chosen program as impact.com told it."""
        return self.told.program(self.campaign_id) if self.told else None


def standings(facts: Facts) -> list[Standing]:
    """How the store stands with each step, in their order."""
    return [_standing(step, list(find(facts))) for step, find in _LOOKED_AT.items()]


def progress(found: list[Standing]) -> tuple[int, int]:
    """How many steps are done, and of how many."""
    return sum(one.is_done for one in found), len(found)


def first_open(found: list[Standing]) -> StepName | None:
    """The step to begin with: the first that is not done and that somebody can act on."""
    is_open = [one for one in found if not one.is_done]
    to_do = [one.step for one in is_open if one.said[0].meaning.actor != "nobody"]
    return next(iter([*to_do, *(one.step for one in is_open)]), None)


def _standing(step: StepName, found: list[Said]) -> Standing:
    gravest_first = sorted(found, key=lambda one: -_GRAVITY.index(one.meaning.light))
    return Standing(step, tuple(gravest_first))


_Found = Iterator[Said]


def _platform(facts: Facts) -> _Found:
    domain = {"domain": facts.domain}
    if not facts.is_connected:
        yield Said(Finding.UNINSTALLED, domain)
    elif facts.reauthorize_reason:
        yield Said(Finding.TOKEN_ENDED, {**domain, "reason": facts.reauthorize_reason})
    elif not facts.has_access:
        yield Said(Finding.NO_TOKEN, domain)
    elif not facts.granted:
        yield Said(Finding.SCOPES_UNKNOWN, domain)
    else:
        yield from _scopes(facts)


def _scopes(facts: Facts) -> _Found:
    missing = tuple(scope for scope in facts.needed if not _has(facts.granted, scope))
    wanted = tuple(scope for scope in facts.wanted if not _has(facts.granted, scope))
    if missing:
        yield Said(Finding.SCOPE_MISSING, {"scopes": missing})
    if wanted:
        yield Said(Finding.SCOPE_WANTED, {"scopes": wanted})
    if not missing and not wanted:
        yield Said(Finding.CONNECTED, {"domain": facts.domain})


def _has(granted: frozenset[str], scope: str) -> bool:
    """Shopify names only the writing scope where reading was granted with it."""
    return scope in granted or scope.replace("read_", "write_", 1) in granted


def _webhooks(facts: Facts) -> _Found:
    if not facts.is_connected:
        yield Said(Finding.NOT_INSTALLED)
    elif facts.unread_since is not None and facts.now - facts.unread_since >= UNREAD:
        yield Said(Finding.UNREAD_DELIVERIES, {"since": facts.unread_since})
    elif facts.refused_at is not None:
        yield Said(Finding.SIGNATURES_REFUSED, {"last": facts.refused_at})
    elif facts.silence:
        yield Said(Finding.SILENT, {"words": facts.silence})
    elif facts.last_delivery is not None:
        yield Said(Finding.ARRIVING, {"last": facts.last_delivery})
    elif not facts.is_reachable:
        yield Said(Finding.ADDRESS_PRIVATE, {"address": facts.address})
    elif facts.undelivered:
        yield Said(Finding.NOT_DELIVERED, {"orders": facts.undelivered})
    else:
        yield Said(Finding.NOTHING_YET)


_OUTCOMES = {
    "works": Finding.ACCOUNT_WORKS,
    "refused": Finding.ACCOUNT_REFUSED,
    "limited": Finding.ACCOUNT_LIMITED,
    "unreachable": Finding.ACCOUNT_UNREACHABLE,
    "unexpected": Finding.ACCOUNT_UNEXPECTED,
}


def _account(facts: Facts) -> _Found:
    if not facts.has_account:
        yield Said(Finding.ACCOUNT_MISSING)
    elif not facts.is_token_readable:
        yield Said(Finding.TOKEN_UNREADABLE)
    elif facts.held is Reason.CREDENTIALS_REFUSED:
        yield Said(Finding.ACCOUNT_REFUSED)
    elif facts.told is None:
        yield Said(Finding.ACCOUNT_UNTRIED)
    else:
        account = facts.told.account
        yield Said(_OUTCOMES[account.outcome], {"told": account.sentence})
        yield from _rights(facts, facts.told)


def _rights(facts: Facts, told: Told) -> _Found:
    """What the token may not do, by its own scopes and by what impact.com refused to do."""
    for need, meaning in NEEDS.items():
        is_held = need is Need.CONVERSIONS and facts.held is Reason.NOT_ALLOWED
        if is_held or told.right(need).allowance is Allowance.MAY_NOT:
            finding = Finding.RIGHT_REQUIRED if meaning.required else Finding.RIGHT_WANTED
            yield Said(finding, {"scope": meaning.scope, "use": meaning.use})


def _program(facts: Facts) -> _Found:
    told, program, chosen = facts.told, facts.program, {"id": facts.campaign_id}
    if not facts.campaign_id:
        yield Said(Finding.PROGRAM_MISSING if facts.has_account else Finding.PROGRAM_LATER)
    elif program is not None:
        yield from _of_program(facts, program)
    elif told is not None and told.programs:
        yield Said(Finding.PROGRAM_UNKNOWN, chosen)
    elif told is not None and told.right(Need.PROGRAMS).allowance is Allowance.MAY_NOT:
        yield Said(Finding.PROGRAM_UNREAD, chosen)
    else:
        yield Said(Finding.PROGRAM_LATER)


def _of_program(facts: Facts, program: Program) -> _Found:
    named = {"id": program.id, "name": program.name or program.id}
    if program.is_active:
        yield Said(Finding.PROGRAM_ACTIVE, named)
    else:
        yield Said(Finding.PROGRAM_NOT_ACTIVE, {**named, "state": program.state})
    yield _template(facts, program)
    if program.deep_linking is False:
        yield Said(Finding.DEEP_LINKS_OFF)
    elif domains := uncovered(facts.hosts, program):
        yield Said(Finding.DOMAIN_NOT_PERMITTED, {"domains": domains})
    if program.promo_code_tracking is not None:
        yield Said(Finding.PROMO_CODES_ON if program.promo_code_tracking else Finding.PROMO_CODES_OFF)


def _template(facts: Facts, program: Program) -> Said:
    names, known = click_parameters(program), facts.rules.parameters
    if not program.tracking_templates:
        return Said(Finding.TEMPLATE_NOT_TOLD)
    if not names:
        return Said(Finding.TEMPLATE_WITHOUT_CLICK, {"template": program.tracking_templates})
    # One name that is looked for suffices: a template that sends several sends the same click in each.
    if not set(names) & set(known):
        finding = Finding.PARAMETER_NOT_LOOKED_FOR
        if "parameters" not in facts.suggested:
            finding = Finding.PARAMETER_UNUSABLE
        return Said(finding, {"names": names, "known": known})
    return Said(Finding.PARAMETER_READ, {"names": names})


def _event_type(facts: Facts) -> _Found:
    met = facts.told.event_type(facts.event_type_id) if facts.told else None
    if not facts.event_type_id:
        yield Said(Finding.EVENT_MISSING)
        return
    if facts.unbookable:
        yield Said(Finding.EVENT_REFUSED, {"orders": facts.unbookable})
    if met is not None:
        named = {"name": f"{met.name} ({met.id})" if met.name else met.id}
        yield Said(Finding.EVENT_MET if met.seen else Finding.EVENT_IN_CONTRACTS, named)
    elif facts.are_contracts_known:
        yield Said(Finding.EVENT_IN_NO_CONTRACT, {"id": facts.event_type_id})
    else:
        yield Said(Finding.EVENT_NOT_MET, {"id": facts.event_type_id})


def _window(facts: Facts) -> _Found:
    kept = facts.rules.referral_days
    days = facts.window
    if not facts.is_configured:
        yield Said(Finding.WINDOW_LATER)
    elif days is None:
        yield Said(Finding.WINDOW_ASSUMED, {"days": kept})
    elif days == kept:
        yield Said(Finding.WINDOW_KEPT, {"days": days})
    elif days < kept and not facts.are_contracts_known:
        # A contract that was not read may count a click for longer.
        yield Said(Finding.WINDOW_AT_LEAST, {"days": days, "kept": kept})
    else:
        finding = Finding.WINDOW_TOO_SHORT if kept < days else Finding.WINDOW_TOO_LONG
        yield Said(finding, {"days": days, "kept": kept})


def _storefront(facts: Facts) -> _Found:
    if not facts.is_connected:
        yield Said(Finding.NOT_INSTALLED)
    elif facts.platform != "shopify":
        seen = facts.carried_at is not None
        yield Said(Finding.MODULE_SEEN if seen else Finding.MODULE_NOT_SEEN, {"last": facts.carried_at})
    elif facts.embed_on is not None:
        off = Finding.EMBED_OFF if facts.is_embed_deployed else Finding.EMBED_NOT_DEPLOYED
        yield Said(Finding.EMBED_ON if facts.embed_on else off)
    elif facts.carried_at is not None:
        yield Said(Finding.EMBED_SEEN, {"last": facts.carried_at})
    else:
        yield Said(Finding.EMBED_UNKNOWN)


def _pixel(facts: Facts) -> _Found:
    if facts.platform != "shopify":
        yield Said(Finding.PIXEL_NOT_NEEDED)
    elif not facts.is_connected:
        yield Said(Finding.NOT_INSTALLED)
    elif facts.storefront_fault:
        yield Said(Finding.PIXEL_REFUSED, {"fault": facts.storefront_fault})
    elif facts.pixel_id:
        yield Said(Finding.PIXEL_CONNECTED)
    else:
        is_late = facts.set_up_at is None and facts.now - facts.connected_at >= SET_UP_WITHIN
        yield Said(Finding.PIXEL_LATE if is_late else Finding.PIXEL_SOON)


def _test_order(facts: Facts) -> _Found:
    if facts.booked:
        yield Said(Finding.BOOKED, {"number": facts.booked})
    elif not facts.is_configured or not facts.is_connected:
        yield Said(Finding.TEST_LATER)
    elif facts.rules.mode == "shadow":
        yield Said(Finding.SHADOW_MODE)
    elif facts.reported:
        yield Said(_unbooked(facts), {"number": facts.reported})
    else:
        yield Said(Finding.TEST_MISSING)


def _unbooked(facts: Facts) -> Finding:
    """What is to be said of an order that was accepted, and of which no action is known."""
    if facts.is_uncredited:
        return Finding.NOT_CREDITED
    may_not = facts.told and facts.told.right(Need.ACTIONS_READ).allowance is Allowance.MAY_NOT
    return Finding.BOOKING_UNSEEN if may_not else Finding.BOOKING_AWAITED


_LOOKED_AT = {
    StepName.PLATFORM: _platform,
    StepName.WEBHOOKS: _webhooks,
    StepName.ACCOUNT: _account,
    StepName.PROGRAM: _program,
    StepName.EVENT_TYPE: _event_type,
    StepName.WINDOW: _window,
    StepName.STOREFRONT: _storefront,
    StepName.PIXEL: _pixel,
    StepName.TEST_ORDER: _test_order,
}
