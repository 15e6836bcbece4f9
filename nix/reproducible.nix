# The same source gives the same zips, byte for byte: the workspace is built once more, in another folder. What it depends on is not;
# `nix build .#lambdas --rebuild` does that for any of it.
{
  runCommand,
  orderflow,
  topology,
  lambdas,
  programs,
}:
let
  again = import ./lambdas.nix {
    inherit runCommand orderflow topology;
    programs = programs.overrideAttrs {
      name = "orderflow-again";
      postUnpack = ''
        mv "$sourceRoot" elsewhere
        sourceRoot=elsewhere
      '';
    };
  };
in
runCommand "reproducible" { } ''
  diff --recursive --report-identical-files ${lambdas} ${again}
  touch $out
''
