"""One local page to use networks on pictures, to watch trainings, and to compare; computed in a process apart."""
