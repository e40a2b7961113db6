"""One group of entry points: which plug-ins there are, loaded and checked on first use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from cosim.errors import OutOfTime, PluginError

T = TypeVar("T")


class Registry(Generic[T]):
    """Plug-ins of one group, by name.

    Parameters
    ----------
    group : str
        Group of entry points, e.g. ``cosim.devices``.
    base : str
        ``module:Class`` that every plug-in derives from.
    where : str
        What names a plug-in, e.g. a field of the scenario; for errors.
    check : callable, optional
        Checks a name and its loaded class beyond the base; returns what is wrong, or nothing.

    Notes
    -----
    Entry points name a class. Those of the distribution ``cosim`` come first, others follow by
    name, so that the order of plug-ins does not depend on the order of installation.
    """

    def __init__(
        self,
        group: str,
        base: str,
        where: str,
        check: Callable[[str, type[T]], str | None] = lambda name, plugin: None,
    ) -> None:
        self.group = group
        self.where = where
        self._base = base
        self._check = check
        self._loaded: dict[str, type[T]] = {}

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        """Entry points by name, ours first.

        Raises
        ------
        PluginError
            If two packages claim a name.
        """
        found: dict[str, EntryPoint] = {}
        every = {(point.name, point.value): point for point in entry_points(group=self.group)}
        for point in sorted(every.values(), key=lambda p: (_package(p) != "cosim", p.name)):
            taken = found.get(point.name)
            if taken is not None:
                raise self._refusal(
                    point,
                    f"claims a name that {_package(taken)} ({taken.value}) has already",
                    "rename its entry point, or uninstall one of the two packages",
                )
            found[point.name] = point
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, ours first."""
        return tuple(self._points)

    def package(self, name: str) -> str:
        """Return the distribution that declares a name.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        return _package(self._points[name])

    def load(self, name: str) -> type[T]:
        """Return a plug-in by name.

        Raises
        ------
        KeyError
            If there is none of that name.
        PluginError
            If it cannot be imported, or is not what its group asks for.
        """
        if name not in self._loaded:
            self._loaded[name] = self._import(self._points[name])
        return self._loaded[name]

    def every(self) -> dict[str, type[T]]:
        """Return all plug-ins by name, ours first."""
        return {name: self.load(name) for name in self.names}

    def of_others(self) -> list[str]:
        """Return package and entry point of each plug-in in use that is not cosim's own."""
        points = [self._points[name] for name in self._loaded if self.package(name) != "cosim"]
        return [self._named(point) for point in points]

    @property
    def has_others(self) -> bool:
        """True if a plug-in in use is a class that does not come with cosim."""
        return any(not is_built_in(plugin) for plugin in self._loaded.values())

    def _named(self, point: EntryPoint) -> str:
        return f"{_package(point)} ({self.group}: {point.name} = {point.value})"

    def packages_of_others(self) -> frozenset[str]:
        """Return the top-level packages that plug-ins come from, but for cosim itself.

        Raises
        ------
        PluginError
            If two packages claim a name.
        """
        tops = (point.value.partition(":")[0].partition(".")[0] for point in self._points.values())
        return frozenset(tops) - {"cosim"}

    def declares(self, module: str) -> tuple[bool, str] | None:
        """Return package and entry point of a plug-in in use that a module belongs to.

        Parameters
        ----------
        module : str
            Dotted name, e.g. of a frame of a traceback.

        Returns
        -------
        (bool, str) or None
            Whether its class is in this module, or in a package around it, or elsewhere in the
            same package; and its name. None if there is none but of cosim's own.
        """
        top = module.partition(".")[0]
        found = [
            (f"{module}.".startswith(f"{place}."), name)
            for name, plugin in self._loaded.items()
            for place in [plugin.__module__]
            if place.partition(".")[0] == top and self.package(name) != "cosim"
        ]
        if not found:
            return None
        nearest = max(found, key=lambda one: one[0])
        point = self._points[nearest[1]]
        return nearest[0], self._named(point)

    def refusal(self, name: str, problem: str, remedy: str) -> PluginError:
        """Return the error that a plug-in is refused with, to be raised."""
        return self._refusal(self._points[name], problem, remedy)

    def refusal_of(self, plugin: type[T], problem: str, remedy: str) -> PluginError:
        """Return the error that a loaded plug-in is refused with, by its class."""
        name = next(name for name, loaded in self._loaded.items() if loaded is plugin)
        return self.refusal(name, problem, remedy)

    def _refusal(self, point: EntryPoint, problem: str, remedy: str) -> PluginError:
        return PluginError(
            problem,
            package=_package(point),
            point=f"{self.group}: {point.name} = {point.value}",
            remedy=remedy,
        )

    def _import(self, point: EntryPoint) -> type[T]:
        def refuse(problem: str, remedy: str) -> PluginError:
            return self._refusal(point, problem, remedy)

        try:
            loaded: Any = point.load()
        # whatever a foreign module raises while it is imported, or with which it would end us
        except (Exception, SystemExit, OutOfTime) as error:
            raise refuse(
                f"cannot be imported: {type(error).__name__}: {error}",
                "mend the package, or uninstall it",
            ) from error
        base = _base_of(self._base)
        if not (inspect.isclass(loaded) and issubclass(loaded, base)):
            raise refuse(
                f"is no subclass of {self._base.replace(':', '.')}",
                "derive the class that the entry point names from it",
            )
        missing = sorted(getattr(loaded, "__abstractmethods__", ()))
        if missing:
            raise refuse(f"lacks {', '.join(missing)}", "define what is missing in its class")
        plugin: Any = loaded
        problem = self._check(point.name, plugin)
        if problem:
            raise refuse(problem, "mend the class that the entry point names")
        checked: type[T] = plugin
        return checked


def is_built_in(plugin: type[Any]) -> bool:
    """Return True if a class comes with cosim."""
    return _is_ours(plugin.__module__)


@lru_cache(1024)  # asked of every plug-in in use at every step
def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "cosim"


def _package(point: EntryPoint) -> str:
    """Name of the distribution that declares an entry point."""
    return point.dist.name if point.dist is not None else "an unknown package"


def _base_of(place: str) -> type[Any]:
    module, _, name = place.partition(":")
    base: type[Any] = getattr(importlib.import_module(module), name)
    return base
