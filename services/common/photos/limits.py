"""How large a photo may be, for those who decode it and for those who only refuse it."""

MAX_PIXELS = 52_000_000  # cameras sold as 50 megapixels have up to 51.3 (8272 × 6200)
