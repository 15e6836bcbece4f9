# shellcheck shell=bash
# Kafka and PostgreSQL on this machine, with our topics. What is there already is left as it is.
[[ ! ${1:-} =~ ^(-h|--help)$ ]] || exec orderflow cluster up "$1"
said=$(orderflow cluster up --with postgres "$@")
echo "$said"
# The line that it prints for a person to paste: it names the administrator's credentials, and the topology if another was given.
[[ $said =~ [^$'\n']+' topics create)' ]] || { echo 'setup-local: error: orderflow printed no line for the topics' >&2 && exit 1; }
eval "${BASH_REMATCH[0]}"
