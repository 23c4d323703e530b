"""The services of unflat, a room each; `services.common` is what is true of all of them."""
