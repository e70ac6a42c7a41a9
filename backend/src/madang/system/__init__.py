"""What administrators look at when something is slow: processes, dependencies, how far each is."""
