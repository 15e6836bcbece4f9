# Each zip by itself, as `nix build .#payment_processor.zip`.
{
  lib,
  runCommand,
  lambdas,
}:
let
  services = (lib.importJSON ../topology.json).services;
  onLambda = lib.filterAttrs (_: service: service.host == "lambda") services;
  zip =
    name:
    lib.nameValuePair "${name}.zip" (runCommand "${name}.zip" { } "cp ${lambdas}/${name}.zip $out");
in
lib.listToAttrs (map zip ([ "hello_world" ] ++ lib.attrNames onLambda))
