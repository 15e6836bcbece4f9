{
  description = "Event-driven order processing on Apache Kafka, as one reproducible monorepo";

  inputs = {
    # The last NixOS with Apache Kafka 3.9: what comes after it has neither that nor ZooKeeper.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    crane.url = "github:ipetkov/crane/v0.23.4";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    treefmt-nix = {
      url = "github:numtide/treefmt-nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    inputs@{ self, nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      darwin = [ "aarch64-darwin" ]; # to write on; what is built here runs on Linux
      systems = lib.genAttrs (linux ++ darwin) (import ./nix inputs);
      of = names: part: lib.genAttrs names (system: systems.${system}.${part});
    in
    {
      packages = of linux "packages";
      checks = of linux "checks";
      apps = of linux "apps";
      lib = of linux "lib";
      devShells = of (linux ++ darwin) "devShells";
      formatter = of (linux ++ darwin) "formatter";
      nixosModules = import ./nix/modules { inherit self; };
    };
}
