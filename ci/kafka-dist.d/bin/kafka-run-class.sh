#!/usr/bin/env bash
# Runs a main class of libs/: kafka-run-class.sh CLASS [ARGUMENT...]. The variables are those of Kafka's own script.
set -euo pipefail
export LC_ALL=C # one order of the class path on every machine: an archive of shared classes depends on it
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

jars=("$home"/libs/*.jar)
class_path=$(IFS=: && echo "${jars[*]}")

java=java
[[ -z ${JAVA_HOME:-} ]] || java=$JAVA_HOME/bin/java

: "${KAFKA_HEAP_OPTS:=-Xmx256M}"
: "${KAFKA_JVM_PERFORMANCE_OPTS:=-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20}"
: "${KAFKA_LOG4J_OPTS:=-Dlog4j.configuration=file:$home/config/tools-log4j.properties}"

# Unquoted: each of them holds several words.
# shellcheck disable=SC2086
exec "$java" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_LOG4J_OPTS ${KAFKA_JMX_OPTS:-} ${KAFKA_OPTS:-} \
  -Djava.awt.headless=true -cp "$class_path" "$@"
