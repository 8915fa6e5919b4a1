"""Local disk, on fsspec: `driver.py` is the filesystem, `atomic.py` how it writes."""
