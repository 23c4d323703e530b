"""`python -m services.gateway` runs the service."""

from services.gateway.server import main

main()
