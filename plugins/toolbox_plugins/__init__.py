"""The built-in plugins: each folder is one subject, its `__init__` is the table of contents."""
