"""The peer of `payment_processor` on Lambda: what its process does before it asks for its first event, with boto3 and confluent-kafka.

Reads the same environment, fetches the same two secrets, makes a producer with the same settings and warms it up.
"""

import http.client
import json
import os
from typing import Any

from confluent_kafka import Producer

WARM_UP_S = 3.0


def secret(name: str) -> dict[str, str]:
    import boto3  # only where a secret is to be fetched: it takes longer than all the rest

    client = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"])
    return json.loads(client.get_secret_value(SecretId=name)["SecretString"])


def settings() -> dict[str, Any]:
    config: dict[str, Any] = {
        "bootstrap.servers": os.environ["KAFKA_BROKERS"],
        "client.id": "orderflow",
        "acks": "all",
        "linger.ms": 1,
        "partitioner": "murmur2_random",
        "message.timeout.ms": 10_000,
        "socket.keepalive.enable": True,
    }
    if "KAFKA_SECRET_ID" in os.environ:
        user = secret(os.environ["KAFKA_SECRET_ID"])
        config |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user["username"],
            "sasl.password": user["password"],
            "ssl.ca.pem": secret(os.environ["KAFKA_CA_SECRET_ID"])["certificate"],
        }
    return config


def main() -> None:
    producer = Producer(settings())
    producer.list_topics(timeout=WARM_UP_S)  # of the brokers one; the client has no question for a partition's leader
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    api.getresponse().read()


if __name__ == "__main__":
    main()
