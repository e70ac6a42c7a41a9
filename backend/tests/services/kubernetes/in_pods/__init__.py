"""Scripts that pods run, with Madang's image and without its source."""
