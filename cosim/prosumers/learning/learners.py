"""Reinforcement learners of repeated choices among few actions, many of them side by side.

Each of ``m`` learners chooses one of ``k`` actions in one of ``s`` situations, and is told only
what its own choice earned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from cosim.units import FloatArray, IntArray


class Learner(ABC):
    """Learners of one kind.

    Attributes
    ----------
    worth : (m, s, k) float
        Strength of each action, in units of the reward; what it means is the kind's own.
    """

    worth: FloatArray

    @abstractmethod
    def probabilities(self, situation: IntArray) -> FloatArray:
        """Return how likely each choice is, (m, k).

        Parameters
        ----------
        situation : (m,) int64
            Of each learner, from 0.
        """

    def choose(self, situation: IntArray, rng: np.random.Generator) -> IntArray:
        """Return an action of each learner, (m,); one draw each.

        Parameters
        ----------
        situation : (m,) int64
        rng : numpy.random.Generator
        """
        reached = np.cumsum(self.probabilities(situation), axis=1)
        drawn = rng.random(len(situation)) * reached[:, -1]
        chosen: IntArray = (drawn[:, None] >= reached).sum(axis=1).astype(np.int64)
        last: IntArray = np.minimum(chosen, reached.shape[1] - 1)
        return last

    def best(self, situation: IntArray) -> IntArray:
        """Return the strongest action of each learner, the first where several are, (m,)."""
        found: IntArray = self._of(situation).argmax(axis=1).astype(np.int64)
        return found

    @abstractmethod
    def learn(
        self,
        who: IntArray,
        situation: IntArray,
        action: IntArray,
        reward: FloatArray,
        next_situation: IntArray,
    ) -> None:
        """Take in what one choice of some learners earned, (n,) each.

        Parameters
        ----------
        who : (n,) int64
            Learners, each at most once.
        situation, action : (n,) int64
            Of the choice.
        reward : (n,) float
            From 0 to about 1.
        next_situation : (n,) int64
            After the choice.
        """

    def state(self) -> dict[str, FloatArray]:
        """Return what was learnt, as arrays."""
        return {"worth": self.worth.copy()}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go back to a state that :meth:`state` gave."""
        self.worth = np.array(state["worth"], dtype=np.float64)

    def _of(self, situation: IntArray) -> FloatArray:
        own: FloatArray = self.worth[np.arange(len(self.worth)), situation]
        return own


class RothErev(Learner):
    """Propensities that are reinforced by rewards, and forgotten.

    After choosing ``c`` of ``k`` actions and earning ``r``, the propensity of each action ``j`` is

        q_j <- (1 - recency) * q_j + e_j,   e_c = r * (1 - experimentation),

    and for all others ``e_j = q_j * experimentation / (k - 1)`` in the modified form, which learns
    also from choices that earned nothing, or ``r * experimentation / (k - 1)`` in the original.
    Actions are chosen in proportion to their propensities. Rewards below 0 count as 0, so that
    propensities stay positive (Erev and Roth subtract the least reward instead).

    Parameters
    ----------
    n_learners, n_situations, n_actions : int
    experimentation : float
        Share of the reinforcement that goes to other actions, from 0 to 1. [-]
    recency : float
        Share of a propensity that is forgotten with each reward, from 0 to 1. [-]
    initial : float
        Propensity of each action at the start, in units of the reward, > 0.
    is_modified : bool

    References
    ----------
    I. Erev, A. E. Roth: American Economic Review 88 (1998) 848-881. J. Nicolaisen, V. Petrov,
    L. Tesfatsion: Market Power and Efficiency in a Computational Electricity Market with
    Discriminatory Double-Auction Pricing. IEEE Transactions on Evolutionary Computation 5 (2001)
    504-523, doi:10.1109/4235.956714: the modified form.
    """

    def __init__(
        self,
        n_learners: int,
        n_situations: int,
        n_actions: int,
        experimentation: float,
        recency: float,
        initial: float = 1.0,
        *,
        is_modified: bool = True,
    ) -> None:
        self.worth = np.full((n_learners, n_situations, n_actions), float(initial))
        self._experimentation, self._recency = experimentation, recency
        self._is_modified = is_modified

    def probabilities(self, situation: IntArray) -> FloatArray:
        """Return propensities relative to their sum; all alike where every one is forgotten."""
        own = self._of(situation)
        total = own.sum(axis=1, keepdims=True)
        alike = np.full_like(own, 1.0 / own.shape[1])
        found: FloatArray = np.divide(own, total, out=alike, where=total > 0.0)
        return found

    def learn(
        self,
        who: IntArray,
        situation: IntArray,
        action: IntArray,
        reward: FloatArray,
        next_situation: IntArray,
    ) -> None:
        """Reinforce what was chosen, and forget a part of everything."""
        own = self.worth[who, situation]
        earned = np.maximum(reward, 0.0)[:, None]
        to_others = self._experimentation / (own.shape[1] - 1)
        reinforced = (own if self._is_modified else earned) * to_others
        is_chosen = action[:, None] == np.arange(own.shape[1])
        reinforced = np.where(is_chosen, earned * (1.0 - self._experimentation), reinforced)
        self.worth[who, situation] = (1.0 - self._recency) * own + reinforced


class QLearning(Learner):
    """Values of actions in a situation, learnt from rewards and the value of what comes after.

    After choosing ``c`` in ``x`` and earning ``r``,

        Q(x, c) <- Q(x, c) + learning_rate * (r + discount * max_j Q(x', j) - Q(x, c)).

    The best action is chosen, but with probability ``exploration`` any one, all alike. Exploration
    shrinks by the factor ``exploration_decay`` with each reward of a learner.

    Parameters
    ----------
    n_learners, n_situations, n_actions : int
    learning_rate : float
        From 0 to 1. [-]
    discount : float
        From 0 to below 1. [-]
    exploration : float
        At the start, from 0 to 1. [-]
    exploration_decay : float
        Above 0, up to 1. [-]
    initial : float
        Value of each action at the start; one that no reward reaches lets every action be tried.

    References
    ----------
    C. J. C. H. Watkins, P. Dayan: Q-learning. Machine Learning 8 (1992) 279-292,
    doi:10.1007/BF00992698. R. S. Sutton, A. G. Barto: Reinforcement Learning, 2nd ed. (2018),
    sections 2.6 (optimistic initial values) and 6.5.
    """

    def __init__(
        self,
        n_learners: int,
        n_situations: int,
        n_actions: int,
        learning_rate: float,
        discount: float = 0.0,
        exploration: float = 0.1,
        exploration_decay: float = 1.0,
        initial: float = 1.0,
    ) -> None:
        self.worth = np.full((n_learners, n_situations, n_actions), float(initial))
        self.exploration = np.full(n_learners, float(exploration))
        self._learning_rate, self._discount = learning_rate, discount
        self._exploration_decay = exploration_decay

    def probabilities(self, situation: IntArray) -> FloatArray:
        """Return that of the best by what exploration leaves, and of each alike by exploration."""
        own = self._of(situation)
        is_best = own.argmax(axis=1)[:, None] == np.arange(own.shape[1])
        explored = self.exploration[:, None]
        found: FloatArray = explored / own.shape[1] + np.where(is_best, 1.0 - explored, 0.0)
        return found

    def learn(
        self,
        who: IntArray,
        situation: IntArray,
        action: IntArray,
        reward: FloatArray,
        next_situation: IntArray,
    ) -> None:
        """Move the value of what was chosen towards what it earned."""
        after = self.worth[who, next_situation].max(axis=1)
        worth = self.worth[who, situation, action]
        error = reward + self._discount * after - worth
        self.worth[who, situation, action] = worth + self._learning_rate * error
        self.exploration[who] *= self._exploration_decay

    def state(self) -> dict[str, FloatArray]:
        """Return what was learnt, and how much is still explored."""
        return super().state() | {"exploration": self.exploration.copy()}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go back to a state that :meth:`state` gave."""
        super().restore(state)
        self.exploration = np.array(state["exploration"], dtype=np.float64)
