# The shop on a secured Kafka of three nodes: its zips in lambda-emulator, then its services as workers. A node crashes meanwhile, and the
# audit finds every order. default.nix says what the arguments are.
#
# About three minutes on four cores with KVM (an estimate: 102 s without the VMs, on two), and 7 GiB of memory.
{
  lib,
  pkgs,
  modules,
  packages,
  kafkaHome,
  ...
}:
let
  cluster = import ./secured-kafka { inherit lib pkgs kafkaHome; };
  workers = lib.attrNames (
    lib.filterAttrs (_: service: service.system == "shop") cluster.topology.services
  );
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
          cluster.client
        ];
        virtualisation = {
          memorySize = 2048;
          cores = 2;
        };
        environment.systemPackages = [ packages.orderflow ];

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

        services.orderflow-worker = {
          enable = true;
          inherit (cluster) brokers;
          caFile = "/etc/kafka/ca.pem";
          workers = lib.genAttrs workers (service: {
            credentialsFile = "/etc/orderflow/${service}.env";
            extraArgs = lib.optionals (service == "order_generator") [
              "--orders"
              "200"
              "--rate"
              "1000"
            ];
          });
        };

        # The test says when: after users, topics and rights, and workers once the functions are gone, whose groups they join.
        systemd.services = {
          lambda-emulator.wantedBy = lib.mkForce [ ];
        }
        // lib.genAttrs (map (service: "orderflow-worker-${service}-1") workers) (_: {
          wantedBy = lib.mkForce [ ];
        });
      };
  };

  testScript =
    { nodes, ... }: cluster.script nodes { inherit workers; } + builtins.readFile ./kafka-flow.py;
}
