"""One storage place, its layout and its filesystem."""

from filestore_fsspec.location.location import Location

__all__ = ["Location"]
