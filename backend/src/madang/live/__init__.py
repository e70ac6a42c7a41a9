"""What happens on the board, pushed to browsers: buses, the hub, and the event stream."""
