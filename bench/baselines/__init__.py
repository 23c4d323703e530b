"""What runs in `.venv-peers`: other people's code, timed. Each file is a script that knows nothing of this project."""
