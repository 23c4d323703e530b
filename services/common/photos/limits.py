"""How large a photo may be, for those who decode it and for those who only refuse it."""

MAX_PIXELS = 50_000_000  # a 50-megapixel camera
