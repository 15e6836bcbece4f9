#!/usr/bin/env bash
# Formats the folders of a KRaft broker; --help shows how.
exec "$(dirname "$0")/kafka-run-class.sh" kafka.tools.StorageTool "$@"
