"""Our repairs of fsspec filesystems, a folder for each, imported on first use.

A scheme's `Target` names a driver by its key in `DRIVERS`, one of another package as
`module:Class`. `shared/driver.py` says what
every driver promises; a driver holds only what the filesystem below it does not keep by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

DRIVERS = {
    "azure": "filestore_fsspec.drivers.azure.driver:AzureDriver",
    "azure+obstore": "filestore_fsspec.drivers.obstore.azure:AzureObstoreDriver",
    "file": "filestore_fsspec.drivers.local.driver:LocalDriver",
    "fsspec": "filestore_fsspec.drivers.generic:GenericDriver",
    "ftp": "filestore_fsspec.drivers.ftp.driver:FTPDriver",
    "http": "filestore_fsspec.drivers.http.driver:HTTPDriver",
    "http+obstore": "filestore_fsspec.drivers.obstore.http:HTTPObstoreDriver",
    "memory": "filestore_fsspec.drivers.memory:MemoryDriver",
    "s3": "filestore_fsspec.drivers.s3.driver:S3Driver",
    "s3+obstore": "filestore_fsspec.drivers.obstore.s3:S3ObstoreDriver",
    "sftp": "filestore_fsspec.drivers.sftp.driver:SFTPDriver",
}


def load_driver(name: str) -> type[AbstractFileSystem]:
    """Import and return the driver class called `name`: a key of `DRIVERS`, or `module:Class`."""
    module, _, attribute = DRIVERS.get(name, name).partition(":")
    driver: type[AbstractFileSystem] = getattr(import_module(module), attribute)
    return driver
