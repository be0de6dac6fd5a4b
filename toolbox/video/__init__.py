"""Films as files: frames with their time stamps and colours, read and written; what is not pictures is copied."""
