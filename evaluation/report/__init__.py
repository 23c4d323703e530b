"""What a run has to say: figures as JSON, a page with pictures, the pictures of the README."""
