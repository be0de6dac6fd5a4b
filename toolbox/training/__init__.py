"""The training step of every algorithm, and what it does to networks and images."""
