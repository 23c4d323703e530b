"""The version that receipts, metrics and `--version` state."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("unflat")
except PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "0.0.0+source"
