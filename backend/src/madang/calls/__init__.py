"""The call log: every answered call, from the request to the spool, through Kafka, into history."""
