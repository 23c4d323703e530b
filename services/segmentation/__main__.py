"""`python -m services.segmentation` runs the service."""

from services.segmentation.server import main

main()
