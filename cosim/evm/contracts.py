"""Compiled contracts: shipped next to their source, kept in a cache, or compiled now.

``LocalMarket.json`` next to ``LocalMarket.vy`` holds what was compiled from it, with a hash of
every Vyper source that it could import, so that nobody needs the compiler who changes no source;
``make contracts`` writes these files. A plug-in may ship its own the same way.

What has none, or another hash, is compiled in half a second or more and kept in the user's cache
folder (``$COSIM_CACHE``, else ``$XDG_CACHE_HOME/cosim``, else ``~/.cache/cosim``). Writing goes
through a temporary file and a rename, so parallel processes are safe: both write the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cosim.errors import EngineError, UserError
from cosim.evm.abi import EventDecoder, event_decoders, pack, pack_mixed
from cosim.evm.hashing import keccak, selector
from cosim.resources import folder

if TYPE_CHECKING:
    from vyper.compiler.phases import CompilerData

EVM_VERSION = "cancun"

VYPER = "0.4.3"
"""Version of the compiler that made the shipped files."""

_FORMAT = 3  # of shipped and cached files

_IMPORT = re.compile(r"^(?:from\s+\S+\s+)?import\s+(?:\w+\.)*(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Artifact:
    """A compiled contract.

    Parameters
    ----------
    name : str
        Name of its source file without suffix.
    abi : tuple of mapping
        JSON ABI.
    bytecode : bytes
        Init code, to which constructor arguments are appended.
    source_hash : str
        SHA-256 of everything it was compiled from, in hex.
    slots : mapping of str to int
        Storage slot of each state variable by name; of a module's as ``module.name``.
    """

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    source_hash: str
    slots: Mapping[str, int]

    def called(self, instance: str) -> Artifact:
        """Return the same contract as one of several: ``name/instance``; without a name itself."""
        if not instance:
            return self
        other = replace(self, name=f"{self.name}/{instance}")
        # what was worked out of the ABI holds for every instance
        vars(other).update({key: own for key, own in vars(self).items() if key not in vars(other)})
        return other

    @functools.cached_property
    def selectors(self) -> Mapping[str, bytes]:
        """Function selectors by function name; our contracts do not overload."""
        return MappingProxyType(
            {name: selector(f"{name}({','.join(types)})") for name, types in self.inputs.items()}
        )

    @functools.cached_property
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """Argument types by function name."""
        return MappingProxyType(
            {
                entry["name"]: tuple(item["type"] for item in entry["inputs"])
                for entry in self.abi
                if entry["type"] == "function"
            }
        )

    @functools.cached_property
    def functions(self) -> Mapping[bytes, Mapping[str, Any]]:
        """ABI entries of functions by selector, to read calldata."""
        entries = (entry for entry in self.abi if entry["type"] == "function")
        return MappingProxyType({self.selectors[entry["name"]]: entry for entry in entries})

    @functools.cached_property
    def events(self) -> Mapping[bytes, EventDecoder]:
        """Event decoders by topic."""
        return MappingProxyType(event_decoders(self.abi))

    def slot_of(self, variable: str, account: bytes) -> int:
        """Return the slot of an account's value in a mapping (Vyper hashes slot, then key)."""
        key = pack(self.slots[variable], account)
        return int.from_bytes(keccak(key), "big")

    def init_code(self, *arguments: int | bytes | bool | Sequence[bytes]) -> bytes:
        """Return the data of the deploying transaction.

        Parameters
        ----------
        *arguments : int, bool or bytes
            Constructor arguments, addresses as 20 bytes; of dynamic type arrays of them.
        """
        return self.bytecode + pack_mixed(*arguments)


def runtime_code_hash(code: bytes) -> str:
    """Return Keccak-256 of deployed code as 0x hex, as EXTCODEHASH and explorers show it."""
    return "0x" + keccak(code).hex()


def cache_folder() -> Path:
    """Return the folder of compiled contracts."""
    chosen = os.environ.get("COSIM_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cosim"


def compile_contract(name: str) -> Artifact:
    """Return a contract that comes with cosim, as shipped; compiled if its source changed.

    Parameters
    ----------
    name : str
        File name without suffix, e.g. ``LocalMarket``.

    Raises
    ------
    EngineError
        If there is no such contract, or it does not compile.
    """
    return _compiled(source_of(name))


@functools.cache
def _compiled(path: Path) -> Artifact:
    return compile_source(path)


def source_of(name: str) -> Path:
    """Return the source file of one of the contracts that come with cosim.

    Raises
    ------
    EngineError
        If there is no such contract.
    """
    for subject in subjects():
        path = subject / f"{name}.vy"
        if path.is_file():
            return path
    raise EngineError(f"no contract {name}: {folder('contracts')} has no {name}.vy")


def sources_of(name: str, place: Path | None = None) -> dict[str, Path]:
    """Return the source of a contract and every one that it imports, by subject and file name.

    Parameters
    ----------
    name : str
        File name without suffix.
    place : Path, optional
        Folder of the source; default: those of the contracts that come with cosim.

    Raises
    ------
    EngineError
        If there is no such contract.
    """
    first = source_of(name) if place is None else place / f"{name}.vy"
    found: dict[str, Path] = {}
    modules: dict[str, Path] = {}
    for folder_of_subject in _search_path(first):
        for suffix in (".vy", ".vyi"):
            for path in sorted(folder_of_subject.glob(f"*{suffix}")):
                modules.setdefault(path.stem, path)
    waiting = [first]
    while waiting:
        path = waiting.pop()
        key = f"{path.parent.name}/{path.name}"
        if key in found:
            continue
        found[key] = path
        named = _IMPORT.findall(path.read_text(encoding="utf-8"))
        waiting += [modules[each] for each in named if each in modules]  # others: the language's
    return found


def subjects() -> list[Path]:
    """Return the folders of cosim's Vyper sources, one a subject."""
    return sorted(path for path in folder("contracts").iterdir() if path.is_dir())


def compile_source(path: Path) -> Artifact:
    """Return the contract of a Vyper file: as shipped next to it, from the cache, or compiled now.

    Parameters
    ----------
    path : Path
        The source. Its imports are looked up next to it, then among the contracts that come with
        cosim.

    Returns
    -------
    Artifact
        Compiled for the Cancun rules, optimised for gas.

    Raises
    ------
    EngineError
        If the file is missing or does not compile.
    UserError
        If it has to be compiled and there is no compiler.
    """
    if not path.is_file():
        raise EngineError(f"no contract {path.stem}: {path} is not there")
    source_hash = _source_hash(path)
    artifact = _read(path.with_suffix(".json"), path.stem, source_hash)
    if artifact is None:
        name = f"{path.stem}-{source_hash[:32]}-{_compiler_version(path)}.json"
        cached = cache_folder() / "contracts" / name
        artifact = _read(cached, path.stem, source_hash)
        if artifact is None:
            artifact = _compile(path, source_hash)
            _write(cached, artifact)
    return artifact


def compile_shipped() -> dict[Path, str]:
    """Compile every contract that comes with cosim.

    Returns
    -------
    dict of Path to str
        Text of the file next to each source.
    """
    sources = [path for subject in subjects() for path in sorted(subject.glob("*.vy"))]
    return {
        path.with_suffix(".json"): _text(_compile(path, _source_hash(path)))
        for path in sources
        if path.stem[0].isupper()  # others are modules
    }


def ship_contracts() -> None:
    """Write the compiled form of every contract that comes with cosim next to its source."""
    for path, text in compile_shipped().items():
        path.write_text(text, encoding="utf-8")


def _compiler_version(path: Path) -> str:
    """Version of the compiler that is installed; raises UserError if there is none."""
    try:
        return importlib.metadata.version("vyper")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            "has no compiled form, or it or a source that it imports was changed since, and there "
            "is no Vyper compiler here",
            file=path,
            remedy=f"install vyper {VYPER}: pip install 'cosim[contracts]'",
        ) from None


def _source_hash(path: Path) -> str:
    """Hash of the contract's name, the EVM's rules and every Vyper file that it could import."""
    digest = hashlib.sha256(f"{_FORMAT} {EVM_VERSION} {path.name}".encode())
    for place in _search_path(path):
        for source in sorted(place.glob("*.vy*")):
            content = source.read_bytes()
            digest.update(f"\n{place.name}/{source.name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _search_path(path: Path) -> list[Path]:
    """Return the folders where a source's imports are looked up, in order."""
    return [path.parent, *(place for place in subjects() if place != path.parent)]


def compiler_data(path: Path) -> CompilerData:
    """Return Vyper's own view of a source, from which it makes all of its outputs."""
    # imported here: hardly any run compiles
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.phases import CompilerData
    from vyper.compiler.settings import Settings

    # the bundle looks in the last of its paths first
    bundle = FilesystemInputBundle(_search_path(path)[::-1])
    return CompilerData(
        bundle.load_file(path.name),
        input_bundle=bundle,
        settings=Settings(evm_version=EVM_VERSION),
    )


def _compile(path: Path, source_hash: str) -> Artifact:
    from vyper.compiler.output import build_abi_output, build_layout_output
    from vyper.exceptions import VyperException

    try:
        data = compiler_data(path)
        return Artifact(
            path.stem,
            tuple(build_abi_output(data)),
            data.bytecode,
            source_hash,
            dict(_flat(build_layout_output(data).get("storage_layout", {}))),
        )
    except VyperException as error:
        raise EngineError(f"{path} does not compile:\n{error}") from error


def _flat(layout: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    """Slots of a storage layout, modules flattened into dotted names."""
    for name, entry in layout.items():
        if isinstance(entry.get("slot"), int):
            yield prefix + name, entry["slot"]
        else:
            yield from _flat(entry, f"{prefix}{name}.")


def _read(path: Path, name: str, source_hash: str) -> Artifact | None:
    """Artifact from a file; None if it is absent, damaged or of other sources."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["source_hash"] != source_hash:
            return None
        return Artifact(
            name, tuple(kept["abi"]), bytes.fromhex(kept["bytecode"]), source_hash, kept["slots"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text(artifact: Artifact) -> str:
    content = {
        "source_hash": artifact.source_hash,
        "abi": list(artifact.abi),
        "bytecode": artifact.bytecode.hex(),
        "slots": dict(artifact.slots),
    }
    return json.dumps(content, separators=(",", ":")) + "\n"


def _write(path: Path, artifact: Artifact) -> None:
    """Keep an artifact; a cache that cannot be written costs time, not results."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False
        ) as file:
            file.write(_text(artifact))
        os.replace(file.name, path)
    except OSError:
        return
