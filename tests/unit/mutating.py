"""Good JSON with something wrong in it."""

import copy
from typing import Any

from hypothesis import strategies as st

from tests.unit.test_adapters_text import anything


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be exchanged: the way to every value, the outermost left out."""
    found = [path] if path else []
    pairs: list[tuple[Any, Any]] = []
    if isinstance(data, dict | list):
        pairs = list(data.items() if isinstance(data, dict) else enumerate(data))
    return found + [place for name, value in pairs for place in places(value, (*path, name))]


@st.composite
def mutated(draw: st.DrawFn, data: Any) -> Any:
    """`data` with one to three of its values exchanged for anything, or taken away."""
    changed = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        ways = places(changed)
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        holder = changed
        for step in way:
            holder = holder[step]
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = draw(anything)
    return changed
