"""`python -m filestore_fsspec`: the command `filestore`."""

from filestore_fsspec.cli import main

if __name__ == "__main__":
    main()
