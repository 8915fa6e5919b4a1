"""What both stores share: their locations, and each function as a coroutine."""

from filestore_fsspec.store.store import Store

__all__ = ["Store"]
