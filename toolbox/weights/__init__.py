"""Weights outside of runs: exported, published by others, translated between layouts, fetched and verified."""
