"""Who is measured. Each is a class over a place, with a method for each work that it can do."""

from __future__ import annotations

CONTENDERS = {
    "predecessor": "stores:Predecessor",
    "filestore": "stores:Ours",
    "filestore fast": "stores:Fast",
    "s3fs": "filesystems:S3",
    "adlfs": "filesystems:Azure",
    "sshfs": "filesystems:SSH",
    "fsspec": "filesystems:Plain",
    "obstore": "obstores:Obstore",
    "opendal": "opendals:OpenDAL",
    "rclone": "programs:Rclone",
    "curl": "programs:Curl",
    "scp": "programs:Scp",
    "a helper": "obstores:Obstore",
    "open().read()": "stores:Open",
}
"""Name to module and class: each is imported in its own process alone."""
