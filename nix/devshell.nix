# `nix develop`: everything that one works on the project with.
{
  lib,
  mkShell,
  formatting,
  tools,
}:
mkShell {
  packages = tools.packages ++ [ formatting.config.build.wrapper ];
  env = tools.environment;
}
