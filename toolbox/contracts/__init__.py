"""What plugins give: the base classes of every kind of component. No paper, and nothing of a run."""
