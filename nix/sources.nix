# What each derivation sees of the repository: a change of anything else builds nothing anew.
{ lib }:
let
  inherit (lib) fileset;
  of =
    files:
    fileset.toSource {
      root = ../.;
      fileset = fileset.unions files;
    };

  programs = [
    ../Cargo.toml
    ../Cargo.lock
    ../topology.json
    (fileset.fileFilter (file: !file.hasExt "md") ../crates)
    ../ci/kafka-dist.d/config/log4j.properties # of the clusters on one machine, within the program
  ];
  deployment = [
    ../topology.json
    ../terraform
    ../ansible
  ];
in
{
  programs = of programs;
  deployment = of deployment;
  # Terraform's tests look into these documents.
  terraform = of (deployment ++ [ ../docs/deployment ]);
  # Tests read of the repository what the documents, Terraform and Ansible share with the code.
  tests = of (
    programs
    ++ deployment
    ++ [
      ../.config
      ../ci
      ../clippy.toml
      ./fixtures
      ../rustfmt.toml
    ]
  );
}
