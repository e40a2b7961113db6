"""Tables of docs/simulators.md, made from the declarations so that they cannot go stale.

``python -m cosim.messages.page docs/simulators.md`` writes them between the page's marks.
"""

from __future__ import annotations

import sys
from collections import abc
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from cosim.messages import BlocksMessage, OffersMessage, StageMessage
from cosim.messages.declaration import (
    MESSAGES,
    Edge,
    FieldType,
    edges,
    field_types,
    inputs_of,
    outputs_of,
    triggers_of,
)
from cosim.messages.extras import EXTRAS, Extras

_PARTS: dict[str, type[Any]] = {
    "flexibility": BlocksMessage,
    "offers": OffersMessage,
    "stages": StageMessage,
}
_TEXTS = {"i": "int", "f": "float", "b": "bool", "O": "text"}


def with_tables(page: str) -> str:
    """Return the page with its tables as the declarations are now."""
    for name, table in (("roles", roles), ("messages", messages)):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table()}\n{end}{rest.partition(end)[2]}"
    return page


def roles() -> str:
    """Return the table of what takes and sends each simulator that can be replaced."""
    shifted = {(edge.to.role, edge.attribute) for edge in edges() if edge.to.time_shifted}
    rows = ["| `replaces` | inputs | of them triggers | outputs |", "|---|---|---|---|"]
    for role in dict.fromkeys(edge.sender for edge in edges()):
        taken = [f"{name}*" if (role, name) in shifted else name for name in inputs_of(role)]
        columns = (taken, triggers_of(role), outputs_of(role))
        rows.append(f"| `{role}` | {' | '.join(', '.join(names) for names in columns)} |")
    return "\n".join(rows) + "\n"


def messages() -> str:
    """Return sender, receivers and fields of every message, and of what is inside messages."""
    kinds = {kind: f"`{name}`" for name, kind in (MESSAGES | _PARTS).items()}
    parts = []
    for name, kind in MESSAGES.items():
        own = [edge for edge in edges() if edge.attribute == name]
        to = ", ".join(_receiver(edge) for edge in own)
        parts.append(_section(name, kind, kinds, f"{own[0].sender} → {to}. "))
    own_extras = {n: kind for n, kind in EXTRAS.items() if kind.__module__.startswith("cosim.")}
    for name, kind in (_PARTS | own_extras).items():
        parts.append(_section(name, kind, kinds))
    return "\n".join(parts)


def _section(name: str, kind: type[Any], kinds: Mapping[type[Any], str], ways: str = "") -> str:
    return f"#### `{name}`\n\n{ways}{_summary(kind)}\n\n{_table(kind, kinds)}"


def _summary(kind: type[Any]) -> str:
    return (kind.__doc__ or "").splitlines()[0].replace("``", "`")


def _receiver(edge: Edge) -> str:
    said = ("triggers a step" * edge.to.trigger, "an interval later" * edge.to.time_shifted)
    notes = ", ".join(note for note in said if note)
    return f"{edge.to.role} ({notes})" if notes else edge.to.role


def _table(kind: type[Any], kinds: Mapping[type[Any], str]) -> str:
    rows = ["| field | type | shape | unit | |", "|---|---|---|---|---|"]
    for each in field_types(kind):
        said = each.declared
        columns = ("", "", "") if said is None else (said.shape, said.unit, said.meaning)
        rows.append(f"| `{each.name}` | {_type(each, kinds)} | {' | '.join(columns)} |")
    return "\n".join(rows) + "\n"


def _type(each: FieldType, kinds: Mapping[type[Any], str]) -> str:
    if each.dtype is not None:
        return f"{_TEXTS[each.dtype.kind]} array"
    options = get_args(each.kind) if get_origin(each.kind) is UnionType else (each.kind,)
    return " or ".join(_name(option, kinds) for option in options)


def _name(kind: Any, kinds: Mapping[type[Any], str]) -> str:
    if kind is NoneType:
        return "null"
    origin = get_origin(kind)
    if kind is Extras or origin is abc.Mapping:
        return "dictionary"
    if origin is abc.Sequence:
        return "list"
    return kinds.get(kind, {str: "text"}.get(kind, kind.__name__))


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
