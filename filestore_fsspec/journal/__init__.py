"""What is remembered of partial writes: the file, the records in it, and how they are mended."""
