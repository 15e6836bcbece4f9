# shellcheck shell=bash
# Sees that it can, has virtual machines run the flow that is to be deployed, and only then deploys. Nothing of the project is built
# before that, so this script needs none of it. From nix/apps.nix it has FLAKE, this very flake; SYSTEM; KVM, the device; SOURCE,
# Terraform's and Ansible's files.

say() { echo "deploy: $*" >&2; }

die() {
  say "error: $*"
  exit 1
}

build() { # ATTRIBUTE OPTION...
  nix --extra-experimental-features 'nix-command flakes' build --no-link --print-build-logs "$FLAKE#$1" "${@:2}"
}

built() { build "$1" --print-out-paths; } # ATTRIBUTE

usage() {
  echo "usage: nix run .#deploy -- [--skip-vm-test] [OPTION...]

  --skip-vm-test   deploys what no virtual machine has run: without KVM, or in a hurry

Before anything is built it asks AWS who you are. Then it builds the check kafka-flow, a Kafka cluster of three virtual machines
under the functions that are deployed, minutes if this flow was not tested before. With --plan nothing is changed, so nothing is
tested. Every OPTION goes to \`orderflow deploy\`; \`nix run . -- deploy --help\` shows them."
}

skip=false plan=false arguments=()
for argument in "$@"; do
  case $argument in
    --help | -h) usage && exit ;;
    --skip-vm-test) skip=true ;;
    --plan) plan=true && arguments+=("$argument") ;;
    *) arguments+=("$argument") ;;
  esac
done

caller=$(aws sts get-caller-identity --query Arn --output text) ||
  die "AWS knows nobody of these credentials: give some, as AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Nothing was built"
say "as $caller"

if [[ $plan = true ]]; then
  say 'a plan changes nothing: no virtual machine is asked'
elif [[ $skip = false ]]; then
  [[ -e $KVM ]] ||
    die "this machine has no KVM ($KVM), with which the test's virtual machines run. Switch virtualisation on in its firmware and load
kvm_intel or kvm_amd; on a rented machine choose a type with nested virtualisation or a bare one. Or deploy untested, with --skip-vm-test"
  say "virtual machines run the flow, if they have not yet"
  build "checks.$SYSTEM.kafka-flow" || die "the flow failed in virtual machines, or they could not run: nothing was deployed"
else
  say "WARNING: --skip-vm-test: no virtual machine has run what is deployed now. Whether functions, mappings, rights and TLS work
together on Kafka, and whether orders outlive the loss of a broker, is first seen on AWS"
fi

unbuilt='what is deployed could not be built: nothing was deployed'
orderflow=$(built orderflow) || die "$unbuilt"
zips=$(built lambdas) || die "$unbuilt"
exec "$orderflow/bin/orderflow" deploy --source "$SOURCE" --zips "$zips" "${arguments[@]}"
