"""Trained networks over films: decoded, translated and encoded at once, in pieces that a killed run goes on from."""
