"""`python -m services.cli` is the `unflat` command."""

from services.cli.main import main

main()
