# One command formats everything: `nix fmt`.
{
  treefmt-nix,
  pkgs,
  lib,
}:
let
  # Scripts here have no suffix: their first line says what they are.
  isScript = file: lib.hasInfix "bash" (lib.head (lib.splitString "\n" (builtins.readFile file)));
  inRepository = file: lib.removePrefix "${toString ../.}/" (toString file);
  scripts = lib.filter isScript (lib.filesystem.listFilesRecursive ../ci);
in
treefmt-nix.lib.evalModule pkgs {
  projectRootFile = "flake.nix";
  programs = {
    actionlint.enable = pkgs.stdenv.hostPlatform.isLinux; # there is none for macOS
    nixfmt.enable = true;
    rustfmt = {
      enable = true;
      package = import ./toolchain.nix pkgs;
    };
    shfmt = {
      enable = true;
      simplify = false;
    };
    terraform.enable = true;
    yamlfmt = {
      enable = true;
      settings.formatter = {
        type = "basic";
        max_line_length = 0;
        pad_line_comments = 1;
        retain_line_breaks_single = true;
        scan_folded_as_literal = true;
      };
    };
  };
  settings.formatter.shfmt = {
    options = [ "-ci" ]; # cases one step in
    includes = map inRepository scripts;
  };
}
