# nixpkgs: the packages that nixpkgs-surface.md lists, each an empty derivation, and functions that make derivations of what they are
# given. None can be built.
{
  localSystem,
  overlays ? [ ],
  config ? { },
  crossSystem ? null,
}:
let
  surface = import ../surface.nix;
  inherit (import ../lib.nix) listed whole;
  lib = whole;
  target = if crossSystem == null then localSystem else crossSystem.config;
  machine = builtins.head (builtins.match "([^-]*)-.*" target);

  coerced =
    value:
    if builtins.isAttrs value && !(value ? outPath) then
      builtins.toJSON (builtins.mapAttrs (_: printed) value)
    else if builtins.isList value then
      map coerced value
    else
      value;
  printed = value: if builtins.isFunction value then "a function" else value;

  mkDerivation =
    arguments:
    let
      name = arguments.name or "${arguments.pname}-${arguments.version or "0"}";
      environment = builtins.mapAttrs (_: coerced) (
        removeAttrs arguments [
          "meta"
          "passthru"
        ]
      );
    in
    derivation (
      environment
      // {
        name = builtins.deepSeq (arguments.meta or { }) name;
        system = localSystem;
        builder = "/stub";
        for = target;
      }
    )
    // {
      inherit name;
      version = arguments.version or "0";
      pname = arguments.pname or name;
      meta = arguments.meta or { };
      overrideAttrs =
        change:
        mkDerivation (arguments // (if builtins.isFunction change then change arguments else change));
    }
    // (arguments.passthru or { });

  package =
    name:
    mkDerivation {
      pname = name;
      version = "0";
    };
  script =
    name: text: more:
    mkDerivation (
      {
        inherit name text;
        meta.mainProgram = name;
      }
      // more
    );

  # What of nixpkgs is more than a package.
  functions = {
    terraform =
      if config.allowUnfreePredicate (package "terraform") then
        package "terraform"
      else
        throw "terraform is unfree, and not allowed";
    "python3.withPackages" =
      choose:
      mkDerivation {
        name = "python3-env";
        packages = choose (surface.tree "package python3.pkgs." package pythonPackages);
      };
    "terraform.withPlugins" =
      choose:
      mkDerivation {
        name = "terraform-with-plugins";
        plugins = choose (surface.tree "package terraform-providers." package terraformProviders);
      };
    "dockerTools.buildLayeredImage" =
      arguments: mkDerivation (arguments // { name = "${arguments.name}.tar.gz"; });
    "formats.json" = _: {
      type = lib.types.anything;
      generate =
        name: value:
        mkDerivation {
          inherit name;
          text = builtins.toJSON value;
        };
    };
    "testers.runNixOSTest" = import ./test.nix {
      inherit
        lib
        listed
        mkDerivation
        pkgs
        surface
        ;
    };
    buildPackages = native;
    linkFarm = name: entries: mkDerivation { inherit name entries; };
    mkShell = arguments: mkDerivation ({ name = "shell"; } // arguments);
    runCommand =
      name: environment: text:
      mkDerivation (environment // { inherit name text; });
    stdenv = {
      inherit mkDerivation;
      cc = package "cc-for-${target}" // {
        targetPrefix = if crossSystem == null then "" else "${target}-";
      };
      hostPlatform = {
        system = "${machine}-linux";
        isLinux = builtins.match ".*-linux.*" target != null;
        isx86_64 = machine == "x86_64";
        rust = {
          rustcTarget = target;
          cargoEnvVarTarget = lib.toUpper (builtins.replaceStrings [ "-" ] [ "_" ] target);
        };
      };
    };
    symlinkJoin = arguments: mkDerivation arguments;
    writeShellApplication =
      arguments: script arguments.name arguments.text (removeAttrs arguments [ "text" ]);
    writeShellScriptBin = name: text: script name text { };
    writeText = name: text: mkDerivation { inherit name text; };
  };
  below =
    prefix: map (lib.removePrefix prefix) (builtins.filter (lib.hasPrefix prefix) surface.packages);
  pythonPackages = below "python3.pkgs.";
  terraformProviders = below "terraform-providers.";

  native = if crossSystem == null then pkgs else import ./. { inherit localSystem overlays config; };
  packages = surface.tree "package " (name: functions.${name} or (package name)) surface.packages;
  pkgs = builtins.foldl' (all: overlay: all // overlay pkgs packages) (
    packages
    // {
      inherit pkgs;
      lib = listed;
    }
  ) overlays;
in
pkgs
