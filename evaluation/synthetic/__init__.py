"""Scenes that the project makes itself: a photo with its exact alpha, depth and mesh."""
