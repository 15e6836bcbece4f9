# shellcheck shell=bash
# `up` where nothing is said.
(($# > 0)) || set -- up
exec orderflow cluster "$@"
