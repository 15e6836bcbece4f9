# The saga on a secured Kafka of three nodes and a PostgreSQL behind TLS: its services as workers on two hosts, two of them on both. A host
# crashes while orders are placed, PostgreSQL is started anew meanwhile; then the audit finds every order, and the tables agree with it.
# default.nix says what the arguments are.
#
# About five minutes on four cores with KVM (a guess: it has not been run), and 9 GiB of memory.
args@{ lib, pkgs, ... }:
let
  cluster = import ./secured-kafka/with-database.nix args;

  hosts = {
    worker1 = lib.filter (service: service != "notification_service") (cluster.servicesOf "order_saga");
    # This one crashes: nobody places the orders again.
    worker2 = [
      "inventory_service"
      "notification_service"
      "order_orchestrator"
    ];
  };
  orders = 1000;

  hostOf = services: {
    imports = [ (cluster.workersOf services) ];
    virtualisation.cores = 2;
    environment.systemPackages = [ pkgs.postgresql ]; # psql, who is refused
  };
in
{
  name = "saga";
  globalTimeout = 1500;

  nodes = cluster.nodes // {
    worker1 = {
      imports = [ (hostOf hosts.worker1) ];
      virtualisation.memorySize = 2048; # for Kafka's commands, too
      services.orderflow-worker.workers.order_service.extraArgs = [
        "--orders"
        (toString orders)
        "--rate"
        "10"
        "--seed"
        "7"
      ];
    };

    worker2 = {
      imports = [ (hostOf hosts.worker2) ];
      virtualisation.memorySize = 1024;
    };
  };

  testScript =
    { nodes, ... }:
    cluster.script {
      inherit nodes;
      client = "worker1";
      facts = {
        inherit hosts orders;
        discrepancies = "${./saga.sql}";
        pieces = cluster.topology.services.inventory_service.settings.stock_pieces;
      };
    }
    + builtins.readFile ./saga.py;
}
