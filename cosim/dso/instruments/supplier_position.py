"""Binding positions: the grid carries trades first, and orders to the supplier as far as it can.

The supplier is an order at the slack bus that takes and gives any energy at its prices. Where
positions bind, what is neither traded locally nor carried to or from the slack bus within the
limits is not injected, and not drawn beyond the load that cannot wait. All such orders have the
same price, so that the best clearing within the limits serves the most energy: the least is left
unserved, without payment, before any flexibility is bought.

References
----------
Network access that gives way before firm access ("last in" or pro rata) is Active Network
Management's principle of access: L. Kane, G. Ault: A review and analysis of renewable energy
curtailment schemes and Principles of Access. Energy Policy 72 (2014) 67-77,
doi:10.1016/j.enpol.2014.04.010. Trades that are subject to the network's approval: J. Guerrero,
A. C. Chapman, G. Verbič: Decentralized P2P Energy Trading Under Network Constraints in a
Low-Voltage Network. IEEE Transactions on Smart Grid 10 (2019) 5163-5173,
doi:10.1109/TSG.2018.2878445.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.dso.instruments.base import Action, Instrument
from cosim.messages import Extras
from cosim.messages.extras import SupplierOrders, UnservedOrders
from cosim.settings import Model
from cosim.units import energy_wh_from_mw

if TYPE_CHECKING:
    from cosim.dso.procurement import Assessment
    from cosim.dso.rounds import Round


class SupplierPositionInstrument(Instrument[Model]):
    """Leaves orders to the supplier unserved that the limits with their margins do not allow.

    Asked before every other instrument, once an interval.
    """

    def begin(self, interval: int) -> None:
        """Start with its one answer."""
        self._answered = False

    def act(self, round: Round, assessment: Assessment) -> Action | None:
        """Serve as much energy as the limits allow; nothing to do where they hold."""
        orders = round.schedule.extras.of(SupplierOrders)
        if not assessment.needs_relief or self._answered or orders is None:
            return None
        self._answered = True
        result = round.procure(orders.sell_wh, orders.buy_wh, 0, 0)
        unserved_wh = energy_wh_from_mw(result.curtailed_mw, round.step_s)
        unserved_wh = unserved_wh.clip(-orders.buy_wh, orders.sell_wh)
        if not unserved_wh.any():
            return None
        return Action(extras=Extras(UnservedOrders(unserved_wh)))
