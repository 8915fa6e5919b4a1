"""The file stores of Assemblyline and Howler by their own names, over this library's.

`import filestore_fsspec.compat.assemblyline as filestore` changes one line; `python -m
filestore_fsspec.compat -m MODULE` changes none (see `docs/moving.md`).
"""
