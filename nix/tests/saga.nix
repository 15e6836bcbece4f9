# The saga on a secured Kafka of three nodes and a PostgreSQL behind TLS: its services as workers on two hosts, two of them on both. A host
# crashes while orders are placed, PostgreSQL is started anew meanwhile; then the audit finds every order, and the tables agree with it.
# default.nix says what the arguments are.
#
# About five minutes on four cores with KVM (a guess: it has not been run), and 9 GiB of memory.
args@{ lib, pkgs, ... }:
let
  cluster = import ./secured-kafka (args // { servers = [ "database" ]; });

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

  password = "password-of-orderflow";
  ca = "/etc/kafka/ca.pem";
  databaseUrl = "postgres://orderflow:${password}@database/orderflow?sslmode=verify-full&sslrootcert=${ca}";

  hostOf = services: {
    imports = [ (cluster.workersOf services) ];
    virtualisation.cores = 2;
    environment.systemPackages = [ pkgs.postgresql ]; # psql, who is refused
    environment.etc."orderflow/database.env".text = ''
      DATABASE_URL=${databaseUrl}
    '';
    services.orderflow-worker.environmentFiles = [ "/etc/orderflow/database.env" ];
  };
in
{
  name = "saga";
  globalTimeout = 1500;

  nodes = cluster.nodes // {
    database =
      { nodes, ... }:
      let
        certificate = "/run/credentials/postgresql.service/host.pem";
      in
      {
        virtualisation = {
          memorySize = 1024;
          cores = 2;
        };
        networking.firewall.allowedTCPPorts = [ 5432 ];
        services.postgresql = {
          enable = true;
          package = pkgs.postgresql;
          enableTCPIP = true;
          settings = {
            ssl = true;
            ssl_cert_file = certificate;
            ssl_key_file = certificate;
          };
          # NixOS adds who comes from this machine.
          authentication = "hostssl orderflow orderflow all scram-sha-256";
          initialScript = pkgs.writeText "database.sql" ''
            CREATE ROLE orderflow LOGIN PASSWORD '${password}';
            CREATE DATABASE orderflow OWNER orderflow;
          '';
        };
        # It takes no key that everybody may read, as what is in the store.
        systemd.services.postgresql.serviceConfig.LoadCredential =
          "host.pem:${cluster.certificatesOf nodes}/hosts/database.pem";
      };

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
        inherit
          ca
          hosts
          orders
          password
          ;
        discrepancies = "${./saga.sql}";
        pieces = cluster.topology.services.inventory_service.settings.stock_pieces;
      };
    }
    + builtins.readFile ./saga.py;
}
