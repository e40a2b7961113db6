"""Seal of a state: whoever reads one knows that the same user wrote it.

A state is a pickle, and no reader of pickles withstands one that somebody made for it. So a state
is read only if it carries the code of a key that lies with the user's own files, or if the user
says that it is trusted.

References
----------
RFC 2104 (HMAC), with SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cosim.runs.checkpoint.names import StateError

_BYTES = hashlib.sha256().digest_size
_PURPOSE = b"cosim checkpoint 1\0"


def sealed(state: bytes) -> bytes:
    """Return a state with the user's seal before it; without a key a seal that never fits."""
    key = _key(make=True)
    seal = bytes(_BYTES) if key is None else _code(key, state)
    return seal + state


def opened(data: bytes, *, trust: bool) -> bytes:
    """Return the state behind a seal.

    Parameters
    ----------
    data : bytes
        As :func:`sealed` returned it.
    trust : bool
        Whether the user trusts a state whoever wrote it.

    Raises
    ------
    StateError
        If the seal is not the user's and the state is not trusted.
    """
    seal, state = data[:_BYTES], data[_BYTES:]
    key = _key(make=False)
    is_own = key is not None and hmac.compare_digest(seal, _code(key, state))
    if not (is_own or trust):
        raise StateError(
            "it was written by somebody else, or on a machine with other files of yours; a "
            "checkpoint can run any program, so go on with it only if you know who wrote it, with "
            "--trust"
        )
    return state


def _code(key: bytes, state: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + state, hashlib.sha256)


def _key(*, make: bool) -> bytes | None:
    """Return the user's key; None if there is none and none can be made."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(base) / "cosim" / "checkpoint.key"
    with suppress(OSError):
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
            try:
                os.link(partial, path)  # who comes second takes the key of the first
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        key = path.read_bytes()
        return key if len(key) == _BYTES else None
    return None
