"""What a store does with its locations: which are asked, in what order, when to stop.

One coroutine each, over `Location`; no I/O of its own. A location says present, absent
(`NotFound`) or unknown (any other `TransportException`), and unknown is never taken for absent.
"""

from filestore_fsspec.operations.listing import list_merged, merge_children
from filestore_fsspec.operations.outcomes import failures_in, no_right_content
from filestore_fsspec.operations.reading import (
    Located,
    find_each,
    find_first,
    locate_each,
    read_first,
)
from filestore_fsspec.operations.running import (
    Place,
    place_of,
    run_on_targets,
    run_there,
    runner_of,
)
from filestore_fsspec.operations.select import Locations, Page, select, select_writable
from filestore_fsspec.operations.writing import delete_each, raise_partial, write_each

__all__ = [
    "Located",
    "Locations",
    "Page",
    "Place",
    "delete_each",
    "failures_in",
    "find_each",
    "find_first",
    "list_merged",
    "locate_each",
    "merge_children",
    "no_right_content",
    "place_of",
    "raise_partial",
    "read_first",
    "run_on_targets",
    "run_there",
    "runner_of",
    "select",
    "select_writable",
    "write_each",
]
