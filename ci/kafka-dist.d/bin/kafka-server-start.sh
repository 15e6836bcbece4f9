#!/usr/bin/env bash
# Runs a broker in the foreground: kafka-server-start.sh FILE [--override NAME=VALUE]...
set -euo pipefail
bin=$(cd "$(dirname "$0")" && pwd)
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$bin/../config/log4j.properties}
exec "$bin/kafka-run-class.sh" kafka.Kafka "$@"
