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
  staticFor = machine: pkgsFor "${machine}-unknown-linux-musl";
  each = lib.genAttrs [
    "x86_64"
    "aarch64"
  ];
  rust = each (
    machine:
    import ./rust.nix {
      inherit lib crane;
      inherit (parts) sources;
      pkgs = staticFor machine;
    }
  );
  lambdas = each (machine: call ./lambdas.nix { inherit (rust.${machine}) programs; });
  machine = lib.head (lib.splitString "-" system);
  own = rust.${machine};

  # A file takes what it needs by the names of its arguments, from nixpkgs or from here. Not callPackage, which adds functions to the sets
  # that a flake's outputs are.
  call =
    file: given:
    let
      make = import file;
    in
    make (builtins.intersectAttrs (builtins.functionArgs make) (pkgs // parts) // given);
  parts = {
    inherit self system staticFor;
    orderflow = own.programs;
    sources = import ./sources.nix { inherit lib; };
    topology = call ./topology.nix { };
    kafkaHome = call ./kafka.nix { };
    venvs = call ./python.nix { };
    terraformRoots = call ./terraform.nix { };
    formatting = import ./treefmt.nix { inherit treefmt-nix pkgs lib; };
    tools = call ./tools.nix { };
    lambdas = lambdas.x86_64; # the machine that terraform/services names
  };

  inventory = call ./inventory.nix { };
  programs = call ./programs.nix { };
  packages = call ./zips.nix { } // {
    default = own.programs;
    orderflow = own.programs;
    inherit (programs) lambda-emulator image;
    inherit (parts) lambdas topology;
    lambdas-arm64 = lambdas.aarch64;
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
  # Programs of this system alone: the others are cross-built, with a compiler that has to be built first.
  checks =
    own.checks
    // import ./tests {
      inherit lib pkgs packages;
      inherit (parts) kafkaHome;
      modules = self.nixosModules;
    }
    // {
      inherit (packages)
        image
        kafka-home
        lambda-emulator
        orderflow
        topology
        ;
      ansible = call ./ansible.nix { };
      fmt = parts.formatting.config.build.check self;
      inventory = call ./inventory-check.nix { inherit (packages) inventory; };
      reproducible = call ./reproducible.nix {
        inherit (own) programs;
        lambdas = lambdas.${machine};
      };
      shell = devShells.default;
      terraform = parts.terraformRoots.check;
    };
}
