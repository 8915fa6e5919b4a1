"""What both stores share: their locations, and each function as a coroutine."""

from filestore_fsspec.store.store import Store
from filestore_fsspec.store.writing import delete, publish, write

__all__ = ["Store", "delete", "publish", "write"]
