# All that the flake has for one system, put together from one concern a file.
{
  self,
  nixpkgs,
  crane,
  rust-overlay,
  treefmt-nix,
}:
system:
let
  inherit (nixpkgs) lib;
  pkgsFor = import ./nixpkgs.nix { inherit nixpkgs rust-overlay; } system;
  pkgs = pkgsFor null;

  # On either system the other one's programs are built across.
  pkgsStatic = machine: pkgsFor "${machine}-unknown-linux-musl";
  rust = lib.genAttrs [ "x86_64" "aarch64" ] (
    machine:
    import ./rust.nix {
      inherit lib crane;
      inherit (parts) sources;
      pkgs = pkgsStatic machine;
    }
  );
  own = rust.${lib.head (lib.splitString "-" system)};

  # A file takes what it needs by the names of its arguments, from nixpkgs or from here. Not callPackage, which adds functions to the sets
  # that a flake's outputs are.
  call =
    file: given:
    let
      make = import file;
    in
    make (builtins.intersectAttrs (builtins.functionArgs make) (pkgs // parts) // given);
  parts = {
    inherit self system pkgsStatic;
    orderflow = own.programs;
    sources = import ./sources.nix { inherit lib; };
    topology = call ./topology.nix { };
    kafkaHome = call ./kafka.nix { };
    venvs = call ./python.nix { };
    terraformRoots = call ./terraform.nix { };
    formatting = import ./treefmt.nix { inherit treefmt-nix pkgs lib; };
    tools = call ./tools.nix { };
    lambdas = call ./lambdas.nix { inherit (rust.x86_64) programs; }; # the machine that terraform/services names
  };

  inventory = call ./inventory.nix { };
  programs = call ./programs.nix { };
  packages = call ./zips.nix { } // {
    default = own.programs;
    orderflow = own.programs;
    inherit (programs) lambda-emulator image;
    inherit (parts) lambdas topology;
    lambdas-arm64 = call ./lambdas.nix { inherit (rust.aarch64) programs; };
    inventory = inventory ./fixtures/cluster-outputs.json;
    kafka-home = parts.kafkaHome;
  };
  devShells.default = call ./devshell.nix { };
in
{
  inherit packages devShells;
  apps = call ./apps.nix { };
  lib = { inherit inventory; };
  formatter = parts.formatting.config.build.wrapper;
  checks =
    packages
    // own.checks
    // import ./tests {
      inherit
        lib
        pkgs
        system
        packages
        ;
      inherit (parts) topology kafkaHome;
      modules = self.nixosModules;
    }
    // {
      ansible = call ./ansible.nix { };
      fmt = parts.formatting.config.build.check self;
      reproducible = call ./reproducible.nix { inherit (rust.x86_64) programs; };
      inventory = call ./inventory-check.nix { inherit (packages) inventory; };
      shell = devShells.default;
      terraform = parts.terraformRoots.check;
    };
}
