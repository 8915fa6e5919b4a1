"""Several locations as one fsspec filesystem, protocol `filestore`."""

from filestore_fsspec.filesystem.composite import FileStoreFileSystem

__all__ = ["FileStoreFileSystem"]
