"""A handler's own bound on memory, inside the child's."""

from __future__ import annotations

import multiprocessing
import resource

from handlers.execution import memory_cap

MIB = 1024 * 1024


def _bounds(own_mb: int | None, outer_mb: int) -> tuple[int, int, bool]:
    """The bound inside and after the block, and whether a large allocation failed inside."""
    resource.setrlimit(resource.RLIMIT_AS, (outer_mb * MIB, outer_mb * MIB))
    with memory_cap(own_mb):
        inside = resource.getrlimit(resource.RLIMIT_AS)[0]
        try:
            failed = len(bytearray(1024 * MIB)) < 0
        except MemoryError:
            failed = True
    return inside // MIB, resource.getrlimit(resource.RLIMIT_AS)[0] // MIB, failed


def in_child(own_mb: int | None, outer_mb: int) -> tuple[int, int, bool]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_bounds, (own_mb, outer_mb))


def test_the_tighter_bound_holds_and_the_old_one_comes_back() -> None:
    assert in_child(512, 4096) == (512, 4096, True)
    assert in_child(8192, 4096) == (4096, 4096, False)
    assert in_child(None, 4096) == (4096, 4096, False)
