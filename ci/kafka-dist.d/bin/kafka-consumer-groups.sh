#!/usr/bin/env bash
# Lists, describes, resets and deletes consumer groups; --help shows how.
exec "$(dirname "$0")/kafka-run-class.sh" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "$@"
