"""Records and the protocol of vector search; importable without numpy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
"""(n, dimension), rows of unit length."""
Numbers: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Vectors of passages, with what each belongs to."""

    passages: Numbers
    """(n,), each number once."""
    documents: Numbers
    """(n,), the document of each passage."""
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.passages)

    def check(self, documents: frozenset[int], dimension: int) -> None:
        """Raises ValueError when a vector has another dimension, or a row belongs to none of `documents`."""
        if len(self) and self.vectors.shape != (len(self), dimension):
            raise ValueError(
                f"vectors of {self.vectors.shape} do not fit {len(self)} rows of {dimension} dimensions"
            )
        if not documents.issuperset(self.documents.tolist()):
            raise ValueError("a row belongs to a document that is not among those to be replaced")


class VectorIndex(Protocol):
    """Finds the nearest vectors. Derived from a `VectorCache`, so whatever is lost here can be made again.

    Safe to search from several threads. What changes it is for one thread at a time, and for the one process that
    holds the library's lock where `shared` is True. Raises LibraryError where it cannot be read or written.
    """

    @property
    def shared(self) -> bool:
        """Whether every process sees one and the same index; else each has its own in memory."""
        ...

    @property
    def generation(self) -> int:
        """The generation given to the last `commit`; 0 for an empty index."""
        ...

    @property
    def size(self) -> int:
        """How many vectors there are."""
        ...

    def replace(self, documents: frozenset[int], rows: Rows) -> None:
        """Hold `rows` in the place of everything that belongs to `documents`.

        Raises ValueError when the dimension is another one, or a row belongs to none of `documents`.
        """
        ...

    def commit(self, generation: int) -> None:
        """Say that the index now reflects `generation`."""
        ...

    def save(self) -> None:
        """Keep what was committed for the next process to open, if enough has changed to be worth the writing."""
        ...

    def refresh(self) -> None:
        """See what another process has saved or committed."""
        ...

    def search(
        self, vector: Vectors, limit: int, documents: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """Passage numbers with their cosine, best first; `documents` limits the search."""
        ...

    def clear(self) -> None:
        """Forget everything, on disk or on the server too."""
        ...

    def close(self) -> None:
        """Let go of memory, files and connections."""
        ...


IndexFactory = Callable[[Path, int, str], VectorIndex]
"""Opens an index: a folder of its own, the dimension, and a name of letters and digits that stands for the embedder
and everything embedded so far. An index kept under another name is foreign."""
