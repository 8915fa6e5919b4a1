"""Run by the predecessor's own Python: put or get one key with `assemblyline.filestore`."""

from __future__ import annotations

import json
import sys


def main() -> None:
    from assemblyline.filestore import FileStore  # noqa: PLC0415

    job = json.load(sys.stdin)
    with FileStore(job["url"]) as store:
        if "content" in job:
            store.put(job["key"], bytes.fromhex(job["content"]))
        else:
            sys.stdout.write((store.get(job["key"]) or b"").hex())


if __name__ == "__main__":
    main()
