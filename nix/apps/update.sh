# shellcheck shell=bash
# Moves the pins, all or those that are named, and says what has to follow.
nix --extra-experimental-features 'nix-command flakes' flake update "$@"
echo "update: now see that it holds: nix flake check, and ci/nix, which wants nix/nixpkgs-surface.md looked through for another nixpkgs.
update: pinned elsewhere: Rust in rust-toolchain.toml, Debian's and PyPI's in ci/, Kafka's archive in ansible/roles/kafka_archive"
