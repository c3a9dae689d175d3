"""`python -m fsn` is `fsn`."""

from fsn.cli import main

main()
