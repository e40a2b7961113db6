"""Tables of a result as one of several local markets has them."""

from __future__ import annotations

import pandas as pd

from cosim.results.columns import AREA
from cosim.results.reader import Results


class AreaResults(Results):
    """A result folder with the rows of an area's local market alone, in whole tables.

    Without the column of the area; tables that do not have it stay as they are.

    Parameters
    ----------
    of : Results
        With the rows of all.
    area : str
    """

    def __init__(self, of: Results, area: str) -> None:
        super().__init__(of.folder, of._intervals)
        self._of, self._area = of, area

    def table(self, table: str) -> pd.DataFrame:
        """Return the rows of the area; see :meth:`Results.table`."""
        if table not in self._whole:
            frame = self._of.table(table)
            if AREA.name in frame:
                frame = frame[frame[AREA.name] == self._area].drop(columns=AREA.name)
            self._whole[table] = frame.reset_index(drop=True)
        return self._whole[table]
