#!/usr/bin/env bash
# Shows and alters settings of topics and brokers, and users' credentials; --help shows how.
exec "$(dirname "$0")/kafka-run-class.sh" kafka.admin.ConfigCommand "$@"
