"""Trains every combination that a grid names, with seeds, and puts what came of it on one page."""
