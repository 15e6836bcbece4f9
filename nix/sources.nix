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

  # Documents apart.
  code = fileset.fileFilter (file: !file.hasExt "md");

  programs = [
    ../Cargo.toml
    ../Cargo.lock
    ../topology.json
    (code ../crates) # with the steps of a database's tables, which are within the program
    ../ci/kafka-dist.d/config/log4j.properties # of the clusters on one machine, within the program
  ];
  deployment = [
    ../topology.json
    ../terraform
    (code ../ansible)
  ];
in
{
  programs = of programs;
  deployment = of deployment;
  # Terraform's tests look into these documents.
  terraform = of (deployment ++ [ ../docs/deployment ]);
  ansible = of [
    ../topology.json
    (code ../ansible)
    ../ci/ansible
    ../ci/ansible.d
    ../ci/need
    ../ci/venv
    ./modules/hardening.nix # what Ansible's units forbid, too
  ];
  # Tests read of the repository what the documents, Terraform and Ansible share with the code.
  tests = of (
    programs
    ++ deployment
    ++ [
      ../.config
      (code ../ci)
      ../clippy.toml
      ./fixtures
      ../rustfmt.toml
    ]
  );
}
