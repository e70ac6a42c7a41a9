"""Real MariaDB, Redis, Kafka and nginx as children of this process, on free ports.

Library code: the test fixtures, `make up` and the measurements start their services with it.
"""
