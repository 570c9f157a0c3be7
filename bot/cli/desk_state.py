"""What the review desk in the terminal shows, and what it may ask to have done."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bot.models import Draft
from bot.review import Wish
from bot.store.cases import Case, Item
from bot.store.deciding import candidates
from bot.store.queue import Facets, Filters, Sort

Mode = Literal["read", "reject", "hint", "search", "filter", "bulk", "send", "help"]
"""`reject`, `hint` and `search` take a line of text; `send` asks whether the text from the editor is to go out."""

IDS: Final = 500
"""How many numbers of the queue are read at once; more when the reader comes near the end."""
BULK_MOST: Final = 200
"""Comments that one bulk act may be about: a preview of more is not read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The comment on the screen, as it was when it came there."""

    case: Case
    held_by: str = ""
    """Who else has it open."""
    kept: str = ""
    """What this person wrote for a verdict that was refused."""
    key: str = ""
    """Names the verdict on this showing: pressed twice, it is made once."""
    since: float = 0.0
    """When it came on the screen, by a clock that only runs forward."""
    translation: str = ""

    @property
    def item(self) -> Item:
        return self.case.item

    @property
    def id(self) -> int:
        return self.item.comment.id or 0

    @property
    def draft(self) -> Draft | None:
        return self.item.draft

    @property
    def candidates(self) -> list[str]:
        return candidates(self.item.draft)


@dataclass(frozen=True, slots=True)
class DeskState:
    """Everything that a key's meaning depends on."""

    by: str
    filters: Filters = field(default_factory=Filters)
    sort: Sort = "value"
    ids: tuple[int, ...] = ()
    total: int = 0
    held: frozenset[int] = frozenset()
    """Which of `ids` others have open."""
    wanted: int = IDS
    shown: Shown | None = None
    moved: bool = False
    """What is shown has changed in the ledger since."""
    candidate: int = 0
    mode: Mode = "read"
    typed: str = ""
    again: str = ""
    """The reason or hint of a verdict that was refused, for the next try."""
    chosen: frozenset[int] = frozenset()
    over: bool = False
    """Decide although somebody else has the comment open."""
    done: tuple[tuple[int, ...], ...] = ()
    """What was decided here, one group a key; the last is taken back first."""
    facets: Facets = field(default_factory=Facets)
    row: int = 0
    """Of the filter list."""
    preview: tuple[Item, ...] = ()
    scroll: int = 0
    told: str = ""
    """Key of the line at the foot; see `bot.cli.desk_words`."""
    values: tuple[tuple[str, Any], ...] = ()
    """What stands in that line."""


@dataclass(frozen=True, slots=True)
class Open:
    """Show this comment and hold it; None: nothing is to be shown. `led`: the person did not ask for this very one."""

    comment_id: int | None
    led: bool = False


@dataclass(frozen=True, slots=True)
class Refresh:
    """Read the queue anew; with `first`, then show its first comment."""

    first: bool = False


@dataclass(frozen=True, slots=True)
class Decide:
    """Carry out the wish on what is shown."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class DecideAll:
    """The same on everything in the preview."""

    act: Literal["approve", "skip"]


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Undo the verdicts on these comments."""

    comment_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Open the editor on this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Put the text aside for later."""

    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Read what a bulk act would be about; no numbers: all that the filters let through."""

    comment_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Take the comment from whoever has it open."""


@dataclass(frozen=True, slots=True)
class Translate:
    """Have the comment translated."""


@dataclass(frozen=True, slots=True)
class Count:
    """Count what the filters can choose from."""


@dataclass(frozen=True, slots=True)
class Leave:
    """End."""


Effect = (
    Open
    | Refresh
    | Decide
    | DecideAll
    | TakeBack
    | Write
    | Keep
    | Preview
    | TakeOver
    | Translate
    | Count
    | Leave
)
Step = tuple[DeskState, tuple[Effect, ...]]


def place(state: DeskState) -> int | None:
    """Where in the queue the comment shown stands, from 0."""
    if state.shown is None or state.shown.id not in state.ids:
        return None
    return state.ids.index(state.shown.id)


def choices(facets: Facets) -> list[tuple[str, str, int]]:
    """(filter, value, how many comments) in the order of the filter list."""
    groups = (
        ("channel", facets.channels),
        ("language", facets.languages),
        ("intent", facets.intents),
        ("reason", facets.reasons),
    )
    return [
        (name, value, number) for name, counts in groups for value, number in counts.most_common() if value
    ]
