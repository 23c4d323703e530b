"""Timings, as ratios and shares in one run on one machine: `make bench` writes bench/README.md."""
