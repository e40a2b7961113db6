"""How long the state machines run: the same examples every time, or more and new ones by command.

``COSIM_FUZZ_EXAMPLES`` and ``COSIM_FUZZ_STEPS`` ask for a longer run. It draws new examples each
time (pytest's ``--hypothesis-seed`` repeats one) and prints how to reproduce what it finds.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CI_EXAMPLES = 60
CI_STEPS = 50

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def asked_for(variable: str, usual: int) -> int:
    """A positive number from the environment, or the usual one.

    Raises
    ------
    ValueError
        If the variable holds anything else.
    """
    text = os.environ.get(variable, "")
    if not text:
        return usual
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{variable}={text!r}: give a positive whole number")
    return int(text)


def machine_settings() -> settings:
    """Settings of every state machine: 60 examples of 50 steps, or what the environment asks for.

    Returns
    -------
    hypothesis.settings
        Without a deadline: a step's time depends on what else the machine does.
    """
    examples = asked_for("COSIM_FUZZ_EXAMPLES", CI_EXAMPLES)
    steps = asked_for("COSIM_FUZZ_STEPS", CI_STEPS)
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=(examples, steps) == (CI_EXAMPLES, CI_STEPS),
        deadline=None,
        print_blob=True,
        suppress_health_check=_SLOW,
    )
