"""Cases that share one release of the small profile with three Kafka nodes, and leave it whole."""
