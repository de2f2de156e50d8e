"""One account's fault leaves the others' traces as they are: to the byte, and where accounts share a sweep, but for its times.

The one rule: each day is lived twice, with and without the trouble of one person; the neighbours are compared.
"""

from __future__ import annotations

import pytest

from tests.simulation.isolation import Told, lived, without_times
from tests.simulation.world import Parameters

VICTIM = "ann"
DAY = 0.5
"""Hours."""
SPARES = ("bob", "cem")


def two_days(seed: int, *, breaks: bool = False, apart: float = 0.0) -> tuple[Told, Told]:
    """The same day of three people without trouble, and with that of the victim, which must have been felt."""
    parameters = Parameters(seed, DAY, 3, without=frozenset({"rates"}))  # who waits for one budget waits for the others
    quiet, troubled = lived(parameters, None, apart=apart), lived(parameters, VICTIM, apart=apart, breaks=breaks)
    assert quiet[VICTIM] != troubled[VICTIM]
    assert all(any(" took " in line for line in quiet[person]) for person in SPARES)
    return quiet, troubled


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_errors_hangs_and_orders_of_one_account_leave_the_others_as_they_are_to_the_byte(seed: int) -> None:
    quiet, troubled = two_days(seed)
    for person in SPARES:
        assert quiet[person] == troubled[person]


@pytest.mark.parametrize("seed", [2])
def test_killing_one_task_again_and_again_changes_nothing_but_when_the_next_sweep_is(seed: int) -> None:
    """A newcomer is swept soon, together with everybody: the others' changes are read earlier, and are the same."""
    quiet, troubled = two_days(seed, breaks=True, apart=45.0)
    for person in SPARES:
        assert without_times(quiet[person]) == without_times(troubled[person])
