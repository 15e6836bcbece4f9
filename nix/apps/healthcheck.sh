# shellcheck shell=bash
exec orderflow health "$@"
