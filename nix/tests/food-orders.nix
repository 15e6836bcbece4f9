# Food orders on a secured Kafka of three nodes and a PostgreSQL behind TLS: food_producer on one host, food_consumer on two, which share the
# partitions. A host crashes while orders are placed, PostgreSQL is started anew meanwhile; then each order stands in the table, once.
# default.nix says what the arguments are.
#
# About five minutes on four cores with KVM (a guess: it has not been run), and 9 GiB of memory.
args@{ lib, ... }:
let
  cluster = import ./secured-kafka/with-database.nix args;
  consumer = cluster.topology.services.food_consumer;

  # Two minutes at the topology's rate: the host that crashes is back before all are placed. And more than a ticket has numbers.
  orders = 1200;
in
{
  name = "food-orders";
  globalTimeout = 1500;

  nodes = cluster.nodes // {
    worker1 = {
      imports = [ (cluster.workersOf (cluster.servicesOf "food_orders")) ];
      virtualisation = {
        memorySize = 2048; # for Kafka's commands, too
        cores = 2;
      };
      services.orderflow-worker.workers.food_producer.extraArgs = [
        "--orders"
        (toString orders)
        "--seed"
        "7"
      ];
    };

    # This one crashes: nobody places the orders again.
    worker2 = {
      imports = [ (cluster.workersOf [ "food_consumer" ]) ];
      virtualisation = {
        memorySize = 1024;
        cores = 2;
      };
    };
  };

  testScript =
    { nodes, ... }:
    cluster.script {
      inherit nodes;
      client = "worker1";
      facts = {
        inherit orders;
        inherit (consumer) memory_mib;
        inherit (lib.head consumer.consumes) group;
        discrepancies = "${./food-orders.sql}";
      };
    }
    + builtins.readFile ./food-orders.py;
}
