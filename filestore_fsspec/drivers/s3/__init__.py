"""S3, on s3fs: `driver.py` is the filesystem, the rest are its modules."""
