"""HTTP and HTTPS, on aiohttp: `driver.py` is the filesystem, the rest are its modules."""
