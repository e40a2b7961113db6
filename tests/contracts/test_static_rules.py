"""What every contract's source must and must not say, read from the compiler's syntax tree."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from vyper import ast as vy_ast

from cosim.resources import folder

SOURCES = sorted(folder("contracts").rglob("*.vy"))
FORBIDDEN_CALLS = {
    "selfdestruct",
    "raw_call",  # delegate calls, and calls whose answer nobody reads
    "send",
    "create_minimal_proxy_to",
    "create_copy_of",
    "create_from_blueprint",
    "raw_create",
    "blockhash",
    "sqrt",
}
FORBIDDEN_WORDS = {"tx.origin", "block.prevrandao", "block.difficulty", "msg.gas", "msg.value"}
# these move no tokens and call nobody but the registry of meters, which cannot call back
UNGUARDED = {
    "EuroToken": {"mint", "transfer", "transferFrom", "approve"},
    "SmartMeters": {"registerMeter", "unregisterMeter"},
    "Supplier": {"unsubscribeUser", "declarePeriod", "paymentPeriod"},
    "supply_proceeds": {"finalize", "setPrice"},
}


# these answer nothing that could be lost: they do it or revert
ANSWERLESS = {"record", "placeOrders", "reportAll"}


@functools.cache
def tree(path: Path) -> vy_ast.Module:
    return vy_ast.parse_to_ast(path.read_text(encoding="utf-8"))


def decorators(function: vy_ast.FunctionDef) -> set[str]:
    return {getattr(decorator, "id", "") for decorator in function.decorator_list}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_that_we_never_need(path: Path) -> None:
    module = tree(path)
    called = {
        call.func.id
        for call in module.get_descendants(vy_ast.Call)
        if isinstance(call.func, vy_ast.Name)
    }
    assert not called & FORBIDDEN_CALLS
    words = {
        f"{node.value.id}.{node.attr}"
        for node in module.get_descendants(vy_ast.Attribute)
        if isinstance(node.value, vy_ast.Name)
    }
    assert not words & FORBIDDEN_WORDS
    functions = module.get_children(vy_ast.FunctionDef)
    assert not any("payable" in decorators(function) for function in functions)
    assert not any(function.name == "__default__" for function in functions)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_answer_of_the_token_is_read(path: Path) -> None:
    """A call of the token that stands alone as a statement would lose its answer."""
    for call in tree(path).get_descendants(vy_ast.ExtCall):
        if call.value.func.attr in ANSWERLESS:
            continue
        assert not isinstance(call.get_ancestor(), vy_ast.Expr), call.node_source_code


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_changes_state_is_guarded_against_reentrance(path: Path) -> None:
    unguarded = {
        function.name
        for function in tree(path).get_children(vy_ast.FunctionDef)
        if "external" in decorators(function)
        and not decorators(function) & {"view", "pure", "nonreentrant"}
    }
    assert unguarded == UNGUARDED.get(path.stem, set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_loop_is_bounded_by_a_constant_or_an_argument(path: Path) -> None:
    """Loops run over a range with a bound, a list in memory, or calldata of bounded length."""
    for loop in tree(path).get_descendants(vy_ast.For):
        target = loop.iter
        assert not (isinstance(target, vy_ast.Attribute) and target.value.id == "self"), (
            f"line {loop.lineno} walks through storage"
        )


def test_the_rules_read_what_the_compiler_reads() -> None:
    """The tree of a source that breaks every rule shows it."""
    module = vy_ast.parse_to_ast(
        "@external\n@payable\ndef take(token: address):\n"
        "    extcall IERC20(token).transfer(tx.origin, msg.value)\n"
        "    raw_call(token, b'')\n"
    )
    call = module.get_descendants(vy_ast.ExtCall)[0]
    assert isinstance(call.get_ancestor(), vy_ast.Expr)
    names = [c.func.id for c in module.get_descendants(vy_ast.Call) if hasattr(c.func, "id")]
    assert "raw_call" in names
    assert decorators(module.get_children(vy_ast.FunctionDef)[0]) == {"external", "payable"}
