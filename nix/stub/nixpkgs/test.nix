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
    lib.evalModules {
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
    };
  # Nodes have addresses by their order.
  addresses = lib.listToAttrs (
    lib.imap1 (number: name: lib.nameValuePair name "192.168.1.${toString number}") (
      builtins.attrNames test.nodes
    )
  );
  machines = builtins.mapAttrs machine test.nodes;
  nodes = builtins.mapAttrs (_: machine: machine.config) machines;
  # What somebody has defined; the rest is placeholders.
  defined =
    options:
    if options._type or null == "option" then
      options.value
    else
      builtins.mapAttrs (_: defined) (
        lib.filterAttrs (_: inner: inner._type or null != "option" || inner.isDefined) options
      );
  held =
    name: machine:
    let
      failed = builtins.filter (assertion: !assertion.assertion) machine.config.assertions;
    in
    if failed == [ ] then
      # Assertions are no part of a machine.
      defined (
        removeAttrs machine.options [
          "_module"
          "assertions"
        ]
      )
    else
      throw "${name}: ${lib.concatStringsSep "; " (map (assertion: assertion.message) failed)}";
in
mkDerivation {
  name = "vm-test-run-${test.name}";
  testScript =
    if builtins.isFunction test.testScript then test.testScript { inherit nodes; } else test.testScript;
  nodes = builtins.toJSON (builtins.mapAttrs held machines);
  timeout = test.globalTimeout;
}
