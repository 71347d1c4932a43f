"""The client's memory and statements for a manifest of many objects grow linearly."""

from __future__ import annotations

import gc
import tracemalloc

from support.manifest_work import work

#: 100,000 objects must fit 256 MiB, including Python and the libraries.
BYTES_PER_OBJECT = 256 * 1024 * 1024 / 100_000


def peak(count: int) -> int:
    gc.collect()
    tracemalloc.start()
    work(count)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_is_linear_and_fits() -> None:
    work(10)  # for imports and compiled statements
    few, many = peak(2_000), peak(8_000)
    assert many < 4.4 * few
    # The rest of 256 MiB, about 100, is for the process without any object.
    assert (many - few) / 6_000 < 0.6 * BYTES_PER_OBJECT


def test_statements_and_work_files_are_the_same_for_any_number_of_objects() -> None:
    few, many = work(3), work(3_000)
    assert few[0].sent == many[0].sent
    assert few[1].written.keys() == many[1].written.keys()
