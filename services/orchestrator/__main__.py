"""`python -m services.orchestrator` runs the service."""

from services.orchestrator.server import main

main()
