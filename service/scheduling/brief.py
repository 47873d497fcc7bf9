"""What is over so soon that it need not go to a thread, pure: known by what was like it."""

from collections import OrderedDict
from collections.abc import Hashable

from service.scheduling.pace import Pace

LONGEST_S = 0.005
"""As long as Python lets a thread keep the interpreter from others, anyway."""
_KINDS = 1000


class Brief:
    """Remembers how long work took, of the kinds that were seen last."""

    def __init__(self) -> None:
        """Nothing is known: the first work of each kind is not said to be brief."""
        self._paces: OrderedDict[Hashable, Pace] = OrderedDict()

    def __contains__(self, kind: Hashable) -> bool:
        pace = self._paces.get(kind)
        return pace is not None and pace.seconds <= LONGEST_S

    def note(self, kind: Hashable, seconds: float) -> None:
        """Takes in how long work of a kind took."""
        pace = self._paces.setdefault(kind, Pace())
        pace.note(seconds)
        self._paces.move_to_end(kind)
        if len(self._paces) > _KINDS:
            self._paces.popitem(last=False)
