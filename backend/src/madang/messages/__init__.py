"""Messages: posting, reading, editing, deleting and searching."""
