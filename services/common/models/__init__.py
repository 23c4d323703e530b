"""The model store: which weights exist, where they come from, and where they lie once they are here."""
