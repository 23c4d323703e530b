"""Measurements of one part of the system each, run by hand: `python -m evaluation --help` lists them."""
