# treefmt-nix: its options, as far as we use them.
let
  inherit ((import ./lib.nix).whole)
    evalModules
    genAttrs
    mkOption
    recursiveUpdate
    types
    ;
  option =
    type: default:
    mkOption {
      inherit type default;
    };
  enable.enable = option types.bool false;

  declared.options = {
    projectRootFile = option types.str ".git/config";
    programs =
      recursiveUpdate
        (genAttrs [
          "actionlint"
          "nixfmt"
          "rustfmt"
          "shfmt"
          "terraform"
          "yamlfmt"
        ] (_: enable))
        {
          rustfmt.package = mkOption { type = types.package; };
          shfmt.simplify = option types.bool true;
          yamlfmt.settings = option types.anything { };
        };
    settings.formatter.shfmt = {
      options = option (types.listOf types.str) [ ];
      includes = option (types.listOf types.str) [ ];
    };
  };
in
{
  lib.evalModule =
    pkgs: module:
    let
      settings =
        builtins.toJSON
          (evalModules {
            modules = [
              declared
              module
            ];
          }).config;
      derived =
        pname: more:
        pkgs.stdenv.mkDerivation (
          {
            inherit pname settings;
            version = "0";
          }
          // more
        );
    in
    {
      config.build = {
        wrapper = derived "treefmt" { };
        check = project: derived "treefmt-check" { inherit project; };
      };
    };
}
