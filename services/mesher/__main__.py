"""`python -m services.mesher` runs the service."""

from services.mesher.server import main

main()
