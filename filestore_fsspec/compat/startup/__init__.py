"""A folder for `PYTHONPATH`: its `sitecustomize` gives the names of Assemblyline and Howler."""
