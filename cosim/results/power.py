"""Power of devices in the columns of table ``prosumers``, added up by role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cosim.devices.catalogue import columns_of
from cosim.devices.device import Role

if TYPE_CHECKING:
    import pandas as pd


def power_mw(columns: Mapping[str, Any] | pd.DataFrame, role: Role) -> Any:
    """Add up the columns of a role, whichever package their devices come from. [MW]

    Parameters
    ----------
    columns : mapping of str to (n,) float, or pandas.DataFrame
        Columns of table ``prosumers``. [MW]
    role : str
        ``generation``, ``consumption`` or ``storage``; all are positive for what they are named.
    """
    return sum(columns[name] for name in columns_of(role, columns))
