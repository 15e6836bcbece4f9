# A NixOS test: its machines as the module system makes them, and its script. What NixOS itself does with the options is not seen.
{
  lib,
  listed,
  mkDerivation,
  pkgs,
  surface,
}:
test:
let
  external = import ../options.nix { inherit lib pkgs surface; };
  # What NixOS hands to each module.
  utils.escapeSystemdExecArgs = arguments: lib.concatStringsSep " " (map toString arguments);
  machine =
    name: module:
    (lib.evalModules {
      specialArgs.lib = listed;
      modules = [
        external
        { _module.args = { inherit nodes pkgs utils; }; }
        (test.defaults or { })
        module
        {
          networking = {
            hostName = lib.mkDefault name;
            primaryIPAddress = addresses.${name};
          };
        }
      ];
    }).config;
  # Nodes have addresses by their order.
  addresses = lib.listToAttrs (
    lib.imap1 (number: name: lib.nameValuePair name "192.168.1.${toString number}") (
      builtins.attrNames test.nodes
    )
  );
  nodes = builtins.mapAttrs machine test.nodes;
  refused = config: builtins.filter (assertion: !assertion.assertion) (config.assertions or [ ]);
  held =
    name: config:
    let
      failed = refused config;
    in
    if failed == [ ] then
      config
    else
      throw "${name}: ${lib.concatStringsSep "; " (map (assertion: assertion.message) failed)}";
in
mkDerivation {
  name = "vm-test-run-${test.name}";
  testScript =
    if builtins.isFunction test.testScript then test.testScript { inherit nodes; } else test.testScript;
  nodes = builtins.toJSON (builtins.mapAttrs held nodes);
  timeout = test.globalTimeout;
}
