"""What training frees is given back. Run in a process of its own: what the allocator has learned stays with it."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys
from pathlib import Path
from training.allocator import give_back

if sys.argv[1] == "yes":
    give_back()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def filled(size):
    place = libc.malloc(size)
    libc.memset(place, 1, size)
    return place

libc.free(filled(16 << 20))  # from here on, what is smaller comes from the heap
places = [filled(8 << 20) for _ in range(10)]
top = filled(500_000)  # the heap cannot shrink below it
before = resident()
for place in places:
    libc.free(place)
print((before - resident()) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what is set")
@pytest.mark.parametrize(("asked", "least", "most"), [("yes", 75, 85), ("no", 0, 20)])
def test_large_pieces_are_given_back_where_that_is_asked_for(asked: str, least: int, most: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert least <= int(done.stdout) <= most
