# NixOS' options that nixpkgs-surface.md lists, as a module: declared with their types, so that a value of another type and an option
# that is not listed are errors. NixOS' own values are not there: what nobody defines is a placeholder.
{
  lib,
  pkgs,
  surface,
}:
let
  typeOf =
    text:
    import (builtins.toFile "type.nix" "{ lib, pkgs }: with lib.types; ${text}") { inherit lib pkgs; };
  placeholder =
    name: type:
    let
      is = kind: lib.hasPrefix kind type.name;
    in
    if is "bool" then
      false
    else if is "listOf" then
      [ ]
    else if is "attrsOf" || is "anything" || is "submodule" then
      { }
    else if is "nullOr" then
      null
    else if is "package" then
      pkgs.stdenv.mkDerivation { name = "placeholder-${name}"; }
    else if is "int" || is "port" || is "unsigned" then
      0
    else
      "/placeholder/${name}";
  option =
    { name, type }:
    let
      plain = typeOf type;
      told = builtins.trace "uses option ${name}";
    in
    lib.mkOption {
      type = plain // {
        merge = path: found: told (plain.merge path found);
      };
      default = told (placeholder name plain);
    };

  # `systemd.services.<name>.wants` is an option within each element of `systemd.services`.
  parts = name: builtins.filter builtins.isString (builtins.split "\\." name);
  grouped =
    entries:
    let
      names = lib.unique (map (entry: builtins.head entry.path) entries);
      within =
        name:
        map (entry: entry // { path = builtins.tail entry.path; }) (
          builtins.filter (entry: builtins.head entry.path == name) entries
        );
      make =
        name:
        let
          inner = within name;
          leaf = builtins.filter (entry: entry.path == [ ]) inner;
        in
        if leaf != [ ] then
          option { inherit (builtins.head leaf) name type; }
        else if builtins.head (builtins.head inner).path == "<name>" then
          lib.mkOption {
            type = lib.types.attrsOf (
              lib.types.submodule {
                options = grouped (map (entry: entry // { path = builtins.tail entry.path; }) inner);
              }
            );
            default = { };
          }
        else
          grouped inner;
    in
    lib.genAttrs names make;
in
{
  options = grouped (map (entry: entry // { path = parts entry.name; }) surface.options);
}
