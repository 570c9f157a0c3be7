"""Memory that is freed goes back to the system.

glibc raises by itself the size from which memory is mapped and not taken from its heap, up to 32 MB, and keeps what is
freed in the heap: activations of the last role and those of this one then stand beside each other. On a base of 150
million parameters that was 1.5 GB of 3.3.
"""

import ctypes
import sys

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of malloc.h; setting it ends the raising."""
SIZE = 1 << 20


def give_back() -> None:
    """From now on, of this process, for what is larger than `SIZE`. Nothing where there is no glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, SIZE)
