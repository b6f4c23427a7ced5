"""Whether the script that keeps clicks is switched on in a shop's theme, from what different sources tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Who told: Shopify's admin in somebody's browser, or the published theme's settings.
Teller = Literal["admin", "theme"]


@dataclass(frozen=True, slots=True)
class Embed:
    """The app embed as it was last told of.

    is_on       None: nobody has told yet
    changed_at  since when it is so, as far as was told
    theme       the published theme that it was told of; None: not known which
    is_deployed the theme offers it at all, as far as is known
    fault       why the theme could not be read the last time, in a sentence; None: it could
    """

    is_on: bool | None = None
    told_by: Teller | None = None
    told_at: datetime | None = None
    changed_at: datetime | None = None
    theme: str | None = None
    is_deployed: bool = True
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch in a published theme's settings; `is_on` None: they do not name the embed."""

    theme: str
    is_on: bool | None


def after_a_look(known: Embed, seen: Switch) -> tuple[bool, Teller]:
    """Whether the embed is on, and on whose word, once a theme's settings were read.

    Settings that do not name it mean off, as they do after an installation and in a theme newly published.
    Some older themes never name it; of those the admin's word holds as long as they stay published.
    """
    if seen.is_on is not None:
        return seen.is_on, "theme"
    is_vouched = bool(known.is_on) and known.told_by == "admin" and known.theme in (None, seen.theme)
    return (True, "admin") if is_vouched else (False, "theme")
