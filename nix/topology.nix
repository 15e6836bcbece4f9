# topology.json, once its checker has passed it, with its picture. What is built from it begins here, so that a topology that
# breaks a rule is built into nothing, and the checker's message says why.
{
  runCommand,
  graphviz,
  orderflow,
}:
runCommand "topology"
  {
    nativeBuildInputs = [
      graphviz
      orderflow
    ];
  }
  ''
    orderflow topology check --topology ${../topology.json}
    mkdir $out
    cp ${../topology.json} $out/topology.json
    orderflow topology show --topology $out/topology.json --format dot | dot -Tsvg -o $out/topology.svg
  ''
