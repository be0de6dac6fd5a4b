"""A run, or a trained network, put together from a config and files."""
