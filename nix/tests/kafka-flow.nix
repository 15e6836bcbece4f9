# The shop on a secured Kafka of three nodes: its zips in lambda-emulator, then its services as workers. A node crashes meanwhile, and the
# audit finds every order. default.nix says what the arguments are.
#
# About three minutes on four cores with KVM (an estimate: 102 s without the VMs, on two), and 7 GiB of memory.
args@{
  lib,
  pkgs,
  modules,
  ...
}:
let
  cluster = import ./secured-kafka args;
  workers = cluster.servicesOf "shop";
in
{
  name = "kafka-flow";
  globalTimeout = 1200;

  nodes = cluster.nodes // {
    functions =
      { nodes, ... }:
      {
        imports = [
          modules.default
          (cluster.workersOf workers)
        ];
        virtualisation = {
          memorySize = 2048;
          cores = 2;
        };

        services.shop-functions = {
          enable = true;
          inherit (cluster) brokers;
          schedule = null; # orders come from the test alone
        };
        services.lambda-emulator.secretsFile = "/etc/orderflow/secrets.json";
        environment.etc."orderflow/secrets.json".source =
          pkgs.runCommand "secrets.json"
            {
              nativeBuildInputs = [ pkgs.jq ];
              users = builtins.toJSON (
                lib.mapAttrs' (
                  username: password: lib.nameValuePair "orderflow/kafka/${username}" { inherit username password; }
                ) cluster.passwords
              );
            }
            ''
              jq --rawfile ca ${cluster.certificatesOf nodes}/ca.pem \
                '. + {"orderflow/kafka/ca": {certificate: $ca}}' <<<"$users" >$out
            '';

        services.orderflow-worker.workers.order_generator.extraArgs = [
          "--orders"
          "200"
          "--rate"
          "1000"
        ];

        # The test says when, and workers only once the functions are gone, whose groups they join.
        systemd.services.lambda-emulator.wantedBy = lib.mkForce [ ];
      };
  };

  testScript =
    { nodes, ... }:
    cluster.script {
      inherit nodes;
      client = "functions";
      facts = { inherit workers; };
    }
    + builtins.readFile ./kafka-flow.py;
}
