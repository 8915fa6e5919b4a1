"""What the transports stand on."""

from __future__ import annotations

import os
from typing import ClassVar

from filestore_fsspec.compat.transports import LocationTransport, Transport, normalize_srl_path
from filestore_fsspec.errors import TransportException

__all__ = ["LOGGER", "HowlerTransport", "Transport", "TransportException", "normalize_srl_path"]

LOGGER = f"{os.environ.get('APP_NAME', 'howler')}.transport"


class HowlerTransport(LocationTransport):
    """One that logs under Howler's name."""

    logger: ClassVar[str] = LOGGER
