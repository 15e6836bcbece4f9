# shellcheck shell=bash
exec orderflow destroy "$@"
