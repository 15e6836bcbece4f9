# What the project's scripts call, for the dev shell and for whatever runs them; `ci/test` then installs nothing of its own.
{
  lib,
  stdenv,
  pkgs,
  writeShellScriptBin,
  writeText,
  staticFor,
  kafkaHome,
  terraformRoots,
  venvs,
}:
let
  muslGcc = writeShellScriptBin "musl-gcc" ''
    exec ${(staticFor "x86_64").stdenv.cc}/bin/x86_64-unknown-linux-musl-cc "$@"
  '';
in
{
  packages = [
    (import ./toolchain.nix pkgs)
    pkgs.ansible
    pkgs.ansible-lint
    pkgs.awscli
    pkgs.cargo-nextest
    pkgs.curl
    pkgs.git
    pkgs.gnumake
    pkgs.graphviz
    pkgs.jdk17_headless
    pkgs.nixfmt
    pkgs.openssh
    pkgs.openssl
    pkgs.perl
    pkgs.postgresql
    pkgs.prometheus.cli # promtool
    pkgs.python3
    pkgs.shellcheck
    pkgs.zookeeper
    terraformRoots.program
  ]
  ++ lib.optionals stdenv.hostPlatform.isLinux [
    pkgs.cargo-llvm-cov
    pkgs.debootstrap # the disk of ci/fleet's hosts
    pkgs.dpkg
    pkgs.iproute2
    pkgs.nftables
    pkgs.systemd # systemd-analyze and systemd-nspawn
    pkgs.util-linux
  ]
  ++ lib.optional stdenv.hostPlatform.isx86_64 muslGcc;

  environment = {
    KAFKA_HOME = kafkaHome;
    ORDERFLOW_VENVS = venvs;
    # One that says nothing: Terraform then finds the provider that it is wrapped with.
    TF_CLI_CONFIG_FILE = writeText "terraformrc" "";
  };
}
