"""Getting files from elsewhere: verified, resumable, atomic, one process at a time."""
