"""Parts of every report page: templates, plotly.js, and data inside of the page."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import plotly
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup


@functools.cache
def page_template(name: str) -> Template:
    """Return a page's template, which escapes text and refuses a missing name."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(template(name))


def template(name: str) -> str:
    """Return the text of a file in ``templates/``."""
    return resources.files("cosim.report").joinpath("templates", name).read_text("utf-8")


def script_json(data: Any) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


@functools.cache
def plotly_js() -> str:
    """Return plotly.js as it comes with the package."""
    return str(plotly.offline.get_plotlyjs())
