# A machine of somebody else, with the flake's modules and a configuration of his own: what becomes of it.
configuration:
let
  inputs = import ./inputs.nix;
  flake = import ../../flake.nix;
  outputs = flake.outputs (inputs // { self = outputs; });
  pkgs = import ./nixpkgs { localSystem = "x86_64-linux"; };
  test = pkgs.testers.runNixOSTest {
    name = "machine";
    globalTimeout = 0;
    nodes.machine.imports = [
      outputs.nixosModules.default
      configuration
    ];
    testScript = "";
  };
in
test.nodes
