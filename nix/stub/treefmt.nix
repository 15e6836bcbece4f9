# treefmt-nix: what it is told, as it is; the real one checks each word of it.
{
  lib.evalModule = pkgs: module: {
    config.build = {
      wrapper = pkgs.stdenv.mkDerivation {
        pname = "treefmt";
        version = "0";
        settings = builtins.toJSON module;
      };
      check =
        project:
        pkgs.stdenv.mkDerivation {
          pname = "treefmt-check";
          version = "0";
          settings = builtins.toJSON module;
          inherit project;
        };
    };
  };
}
