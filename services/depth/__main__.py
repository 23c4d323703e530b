"""`python -m services.depth` runs the service."""

from services.depth.server import main

main()
