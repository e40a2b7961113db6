"""The final state of a run in titanoboa: every contract at its address, to call, trace, profile."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.chain.roles import sender_names
from cosim.errors import EngineError, UserError
from cosim.evm.accounts import account
from cosim.evm.contracts import Artifact, compiler_data, source_of
from cosim.evm.engine import CHAIN_ID
from cosim.evm.engines import Revm
from cosim.replay.participants import Participants
from cosim.replay.replay import Replayed, replay
from cosim.results.damage import reading
from cosim.results.reader import Results

REQUIREMENTS = Path(__file__).with_name("requirements.inspect.txt")
"""Requirements of titanoboa on top of cosim; pip cannot resolve them."""


@dataclass(frozen=True)
class Inspection:
    """A run's contracts after its last transaction, in an environment of their own.

    Parameters
    ----------
    contracts : mapping of str to contract
        By name; each is opened when it is first looked up, and traces name those that are open.
        Compiled from its source, a contract has all that titanoboa offers (storage, internal
        functions, traces with lines, gas profiles); one whose source is not that of the run has
        its methods alone.
    accounts : mapping of str to str
        Addresses by role or prosumer, e.g. for ``sender=``.
    env : boa.Env
        Changes stay in it: the result is not touched.
    block : int
        Number of the last block; the environment stands in it, at its time.
    """

    contracts: Mapping[str, Any]
    accounts: Mapping[str, str]
    env: Any
    block: int

    def call(self, target: str, arguments: Sequence[str] = ()) -> Any:
        """Call a method as it is named on the command line.

        Parameters
        ----------
        target : str
            ``Contract.method``.
        arguments : sequence of str
            Python literals, 0x…, or names of accounts and contracts, for their addresses.

        Raises
        ------
        UserError
            If there is no such method, or the contract refuses the call.
        """
        name, _, method = target.partition(".")
        if name not in self.contracts:
            raise UserError(
                f"no contract {name!r} in this run",
                field="--call",
                remedy=f"one of {', '.join(self.contracts)}",
            )
        contract = self.contracts[name]
        function = getattr(contract, method, None)
        if method.startswith("_") or not callable(function):
            methods = [entry["name"] for entry in contract.abi if entry["type"] == "function"]
            raise UserError(
                f"{name} has no method {method!r}",
                field="--call",
                remedy=f"one of {', '.join(methods)}",
            )
        try:
            return function(*(self._value(text) for text in arguments))
        except Exception as error:  # titanoboa raises plain ones for wrong arguments
            raise UserError(
                f"{target}({', '.join(arguments)}) fails: {error}", field="--call"
            ) from error

    def _value(self, text: str) -> Any:
        if text in self.accounts:
            return self.accounts[text]
        if text in self.contracts:
            return self.contracts[text].address
        if text.startswith("0x"):
            return text if len(text) == 42 else bytes.fromhex(text[2:])
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(text)
        return text


def inspect(result: str | Path | Any) -> Inspection:
    """Open the final state of a run in titanoboa.

    Parameters
    ----------
    result : str, Path or result
        A result folder, or a result that has one as ``folder``.

    Returns
    -------
    Inspection

    Raises
    ------
    UserError
        If it is no result folder, or titanoboa is not installed.
    """
    try:
        import boa
    except ImportError as error:
        raise UserError(
            f"cosim inspect needs titanoboa, which cannot be imported ({error})",
            remedy=f"pip install --no-deps -r {REQUIREMENTS}",
        ) from error
    results = Results(getattr(result, "folder", result))
    env = boa.Env()
    with reading(results.folder):
        participants = Participants(results)
        done = _replayed_into(env, results)
        last = results.table("blocks").iloc[-1]
        env.evm.patch.block_number = int(last.block)
        env.evm.patch.timestamp = int(last.timestamp_s)
        env.evm.patch.chain_id = CHAIN_ID
        seed = results.scenario.seed
        names = sender_names(participants.prosumers, participants.meters)
        accounts = {name: account(seed, name).hex for name in names}
    return Inspection(_Contracts(env, done), accounts, env, int(last.block))


class _Contracts(Mapping[str, Any]):
    """Contracts of a replay by name, compiled when they are looked up: seconds each."""

    def __init__(self, env: Any, done: Replayed) -> None:
        self._env = env
        self._known = {artifact.name: (artifact, at) for at, artifact in done.artifacts.items()}
        self._open: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, name: str) -> Any:
        import boa

        if name not in self._open:
            with boa.swap_env(self._env):
                self._open[name] = _contract(*self._known[name])
        return self._open[name]


def _replayed_into(env: Any, results: Results) -> Replayed:
    """Replay the run's transactions on the fastest engine, and move its state."""
    if Revm.missing():
        from cosim.evm.py_evm import PyEvmEngine

        slow = PyEvmEngine()
        done = replay(results, slow)
        env.evm.vm.state._account_db = slow.copy_of_state()
        return done
    from cosim.evm.revm import RevmEngine

    fast = RevmEngine()
    done = replay(results, fast)
    state = env.evm.vm.state
    for address, balance_wei, nonce, code, slots in fast.accounts():
        state.set_balance(address, balance_wei)
        state.set_nonce(address, nonce)
        state.set_code(address, code)
        for slot, value in slots.items():
            state.set_storage(address, slot, value)
    state.lock_changes()
    return done


def _contract(artifact: Artifact, address: bytes) -> Any:
    """Return the contract at an address; from its source, if that is what was deployed."""
    from boa.contracts.abi.abi_contract import ABIContractFactory
    from boa.contracts.vyper.vyper_contract import VyperDeployer
    from vyper.ir.compile_ir import assembly_to_evm

    place = "0x" + address.hex()
    with contextlib.suppress(EngineError):
        data = compiler_data(source_of(artifact.name))
        if data.bytecode == artifact.bytecode:
            # titanoboa adds the map to what it compiles itself
            data.source_map = assembly_to_evm(data.assembly_runtime)[1]
            return VyperDeployer(data, filename=str(source_of(artifact.name))).at(place)
    return ABIContractFactory(artifact.name, [dict(entry) for entry in artifact.abi]).at(place)
