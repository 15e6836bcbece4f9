#!/usr/bin/env bash
# Runs a ZooKeeper server in the foreground: zookeeper-server-start.sh FILE
set -euo pipefail
bin=$(cd "$(dirname "$0")" && pwd)
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx512M -Xms512M}
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$bin/../config/log4j.properties}
exec "$bin/kafka-run-class.sh" org.apache.zookeeper.server.quorum.QuorumPeerMain "$@"
