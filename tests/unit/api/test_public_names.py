"""The public names: there, and imported no sooner than they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cosim


def test_every_public_name_is_there():
    assert {"Result", "Scenario", "load_scenario", "open_result", "run"} < set(cosim.__all__)
    for name in cosim.__all__:
        assert getattr(cosim, name)
        assert name in dir(cosim)
    assert cosim.run.__module__ == "cosim.api"


def test_a_name_that_is_none_is_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'cosim' has no attribute 'rum'"):
        cosim.rum  # noqa: B018


def test_importing_cosim_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import cosim; print(*set(sys.modules) - before)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names} == {
        "cosim",
        "cosim.postponed",
    }
    assert len(loaded) < 20, loaded
