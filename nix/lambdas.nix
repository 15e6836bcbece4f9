# What is deployed: a zip for hello_world and for each service that is on Lambda, and the static `orderflow` for the console host.
# One binary serves all functions, so the zips differ in their names only. `orderflow package` packs them, here as everywhere.
{
  runCommand,
  orderflow,
  topology,
  programs,
}:
runCommand "lambdas" { nativeBuildInputs = [ orderflow ]; } ''
  orderflow package --topology ${topology}/topology.json --programs ${programs}/bin --out $out
''
