"""Single fields of impact.com's records, read leniently: numbers may be text, what is empty is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def text_of(record: Mapping[str, Any], name: str, limit: int = 255) -> str:
    """As text a database takes, "" where there is none: JSON can spell characters that none does."""
    value = record.get(name)
    text = "" if value is None else str(value)
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode()


def moment_of(record: Mapping[str, Any], name: str) -> datetime | None:
    """A moment with its offset; impact.com leaves out what has no date yet. One without offset is in UTC."""
    text = text_of(record, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def flag_of(record: Mapping[str, Any], name: str) -> bool | None:
    """True or false, also as text; None for anything else."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text_of(record, name).strip().lower())


def records_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; one object alone counts as a list of it, anything else holds none."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, dict)]


def object_of(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object below a name, an empty one where there is none."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}
