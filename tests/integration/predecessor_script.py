"""Run by the predecessor's own Python: put and get keys with `assemblyline.filestore`.

Standard input is a JSON object: `url`, `put` (content in hexadecimal digits by key), `get` (keys),
and for Azure `endpoint`, the emulator that is to be asked. The answer has `got`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    from assemblyline.filestore import FileStore  # noqa: PLC0415
    from assemblyline.filestore.transport import azure  # noqa: PLC0415

    job = json.load(sys.stdin)
    client = azure.BlobServiceClient

    def emulated(account_url: str, credential: Any) -> Any:
        return client(job.get("endpoint") or account_url, credential)

    azure.BlobServiceClient = emulated
    with FileStore(job["url"]) as store:
        for key, content in job.get("put", {}).items():
            assert store.put(key, bytes.fromhex(content))
        got = {key: (store.get(key) or b"").hex() for key in job.get("get", [])}
    json.dump({"got": got}, sys.stdout)


if __name__ == "__main__":
    main()
