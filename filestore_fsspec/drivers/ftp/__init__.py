"""FTP and FTPS, on fsspec and ftplib: `driver.py` is the filesystem, the rest are its modules."""
