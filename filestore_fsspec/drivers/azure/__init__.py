"""Azure Blob Storage, on adlfs: `driver.py` is the filesystem, the rest are its modules."""
