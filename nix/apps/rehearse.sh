# shellcheck shell=bash
# From a checkout, because the rehearsal builds what it rehearses and plants its defects there.
[[ -x ci/rehearse ]] || { echo "rehearse: error: there is no ci/rehearse here: call it at the top of a checkout" >&2 && exit 1; }
ci/package
exec ci/rehearse "$@"
