"""YAML as every reader of it reads it: repeated keys and ambiguous scalars are refused.

The two versions of the language in use read some plain scalars differently: ``010`` is 8 in YAML
1.1 and 10 in YAML 1.2, ``1:30`` is 90 in the one and a text in the other, ``no`` false or a text.
Such a scalar is refused, with its line. What cannot be mistaken is read as YAML 1.2 (core schema)
has it: ``1e-6`` is a number, and a date is a text, which the field that takes it reads.

References
----------
YAML Ain't Markup Language, revision 1.2.2 (2021), section 10.3.2 "Tag Resolution"; YAML 1.1 types
``int``, ``float``, ``bool``, ``timestamp`` and ``merge`` (https://yaml.org/type/).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from cosim.errors import ScenarioError, UserError
from cosim.inputs.text import decoded, unprintable

_TAG = "tag:yaml.org,2002:"
_MERGE, _FLOAT, _TIME, _TEXT = (_TAG + name for name in ("merge", "float", "timestamp", "str"))
_AMBIGUOUS = "!ambiguous"
"""Tag of scalars that the two versions read differently."""

_FORMS = {
    "octal": re.compile(r"[-+]?0o?[0-9_]+"),
    "hexadecimal": re.compile(r"[-+]?0x[0-9a-fA-F_]+"),
    "binary": re.compile(r"[-+]?0b[01_]+"),
    "sexagesimal": re.compile(
        r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
    ),
    "underscored": re.compile(
        r"(?=.*_)[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    ),
    "word": re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"),
}
"""Forms that YAML 1.1 has beyond plain decimal numbers, true and false."""

_MEANING = {
    "octal": "has a leading zero: octal or a text in YAML 1.1, decimal or octal in YAML 1.2",
    "hexadecimal": "is hexadecimal in YAML",
    "binary": "is binary in YAML 1.1 and a text in YAML 1.2",
    "sexagesimal": "is sexagesimal in YAML 1.1 (1:30 is 90) and a text in YAML 1.2",
    "underscored": "is a number in YAML 1.1 and a text in YAML 1.2",
}

_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:_[0-9]{3})+")
"""Thousands set off by ``_``: a number that nobody misreads."""

_NUMBER = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+$"
    r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
"""Floating-point numbers of YAML 1.2; 1.1 wants a point and a sign of the exponent."""


class _Ambiguous:
    """Matches what the two versions read differently; PyYAML asks for ``match`` only."""

    @staticmethod
    def match(text: str) -> str | None:
        return _form(text)


def _form(text: str) -> str | None:
    """Return the form of a scalar that is ambiguous; None for any other."""
    if _GROUPED.fullmatch(text):
        return None
    for form, pattern in _FORMS.items():
        if pattern.fullmatch(text):
            return form
    return None


def _resolvers(*dropped: str) -> dict[str, list[tuple[str, Any]]]:
    known = yaml.SafeLoader.yaml_implicit_resolvers
    numbers = [(_AMBIGUOUS, _Ambiguous), (_FLOAT, _NUMBER)]
    return {
        first: [*numbers, *(pair for pair in known.get(first, []) if pair[0] not in dropped)]
        for first in {*known, *"-+.0123456789yYnNoO"}
    }


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _resolvers(_FLOAT, _TIME)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tags: dict[int, str] = {}
        """Tag that the file gives a node, by the node's id."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and keep the tag that the file gives it."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        node: yaml.Node | None = super().compose_node(parent, index)
        if tag is not None:
            self.tags[id(node)] = str(tag)
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1, or the loader above, would read as something else."""

    yaml_implicit_resolvers = _resolvers(_FLOAT)


def read_yaml(path: str | Path, error: type[UserError] = ScenarioError, remedy: str = "") -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path : str or Path
    error : type of UserError
        What is raised.
    remedy : str
        For a file that cannot be opened.

    Returns
    -------
    object
        None for an empty file.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8 or not YAML, gives a key of a mapping twice, or holds a
        scalar that YAML 1.1 and 1.2 read differently, a tag other than ``!!str``, or a text with
        control characters or lone surrogates; names the field and the line.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", file=file, remedy=remedy) from problem
    text = decoded(data, file, error)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Check(loader, file, error).node(node, ())
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"is not YAML: {problem}", file=file, remedy="mend the YAML") from problem


def to_yaml(data: Any) -> str:
    """Return YAML that :func:`read_yaml`, and readers of YAML 1.1, read as the same data."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class _Check:
    """Walk over the nodes of a file that refuses what readers differ in."""

    def __init__(self, loader: _Loader, file: Path, error: type[UserError]) -> None:
        self._loader = loader
        self._file = file
        self._error = error
        self._seen: set[int] = set()

    def node(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        if id(node) in self._seen:  # an alias
            return
        self._seen.add(id(node))
        self._tag(node, path)
        if isinstance(node, yaml.ScalarNode):
            self._text(node, path)
        if isinstance(node, yaml.SequenceNode):
            for place, item in enumerate(node.value):
                self.node(item, (*path, str(place)))
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, path)
        elif node.tag == _AMBIGUOUS:
            raise self._ambiguous(node, path)

    def _tag(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        """Refuse a tag: it makes another type of a value than is written, but for ``!!str``."""
        tag = self._loader.tags.get(id(node))
        if tag is not None and not (tag == _TEXT and isinstance(node, yaml.ScalarNode)):
            raise self._error(
                f"line {node.start_mark.line + 1} has the tag {tag.replace(_TAG, '!!')}",
                file=self._file,
                field=".".join(path) or None,
                remedy="leave the tag out; write a text that looks like a number in quotes",
            )

    def _text(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> None:
        """Refuse what escapes put into a text that no file, page or terminal shows."""
        if problem := unprintable(str(node.value), allowed="\n\t"):
            raise self._error(
                f"line {node.start_mark.line + 1} holds {problem}",
                file=self._file,
                field=".".join(part for part in path if not unprintable(part)) or None,
                remedy="write it in printable characters",
            )

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> None:
        """Refuse a key given twice: YAML would keep the last without a word."""
        lines: dict[Any, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused as a field's name
            self._tag(key, (*path, str(key.value)))
            self._text(key, path)
            if key.tag == _AMBIGUOUS:
                raise self._ambiguous(key, (*path, str(key.value)))
            name = self._loader.construct_object(key) if key.tag != _MERGE else key.value
            own, line = (*path, str(name)), key.start_mark.line + 1
            if name in lines:
                raise self._error(
                    f"is given twice, in line {lines[name]} and in line {line}",
                    file=self._file,
                    field=".".join(own),
                    remedy="keep one of them, with everything that both say",
                )
            lines[name] = line
            self.node(value, own)

    def _ambiguous(self, node: yaml.Node, path: tuple[str, ...]) -> UserError:
        text = str(node.value)
        form = _form(text)
        if form == "word":
            value = "true" if text.lower() in ("yes", "on") else "false"
            problem = f"{text} is {value} in YAML 1.1 and a text in YAML 1.2"
            remedy = f"write {value}, or '{text}' in quotes for the text"
        else:
            problem = f"{text} {_MEANING[str(form)]}"
            remedy = f"write the number in plain decimal digits, or '{text}' in quotes for a text"
        return self._error(
            f"line {node.start_mark.line + 1}: {problem}",
            file=self._file,
            field=".".join(path) or None,
            remedy=remedy,
        )
