"""Run in a pod that knows Kafka: its nodes, and each partition's copies in sync, as JSON."""

import json
import os
import sys

from confluent_kafka.admin import AdminClient

if __name__ == "__main__":
    kafka = AdminClient({"bootstrap.servers": os.environ["MADANG_KAFKA_BOOTSTRAP"]})
    found = kafka.list_topics(os.environ["MADANG_KAFKA_TOPIC"], timeout=30)
    partitions = found.topics[os.environ["MADANG_KAFKA_TOPIC"]].partitions.values()
    in_sync = [sorted(partition.isrs) for partition in partitions]
    sys.stdout.write(json.dumps({"nodes": sorted(found.brokers), "in_sync": in_sync}))
