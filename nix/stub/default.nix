# Calls the flake's outputs with stubs for its inputs, and tells what came of it: for each system the derivation of each package, check, app
# and shell.
let
  flake = import ../../flake.nix;
  outputs = flake.outputs (import ./inputs.nix // { inherit self; });
  self = outputs // {
    # As a flake's own: what depends on it changes with any file.
    outPath = builtins.path {
      path = ../..;
      name = "source";
    };
  };

  # An app is a path within its derivation.
  derivationOf =
    output: output.drvPath or (builtins.head (builtins.attrNames (builtins.getContext output.program)));
  every = builtins.mapAttrs (_: builtins.mapAttrs (_: derivationOf));
in
{
  packages = every outputs.packages;
  checks = every outputs.checks;
  apps = every outputs.apps;
  devShells = every outputs.devShells;
  formatter = builtins.mapAttrs (_: derivationOf) outputs.formatter;
  nixosModules = builtins.attrNames outputs.nixosModules;
}
