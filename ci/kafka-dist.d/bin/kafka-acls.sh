#!/usr/bin/env bash
# Adds, removes and lists rights; --help shows how.
exec "$(dirname "$0")/kafka-run-class.sh" kafka.admin.AclCommand "$@"
