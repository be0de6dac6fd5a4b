"""What crosses the border of the process: pictures, files, the terminal, and errors that a person reads."""
