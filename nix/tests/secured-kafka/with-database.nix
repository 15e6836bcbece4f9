# The secured Kafka, and beside it a PostgreSQL behind TLS, by the same authority: the node `database`. Workers have a database there, and the
# test script begins with database.py, too.
args@{ pkgs, ... }:
let
  cluster = import ./. (args // { servers = [ "database" ]; });

  password = "password-of-orderflow";
  ca = "/etc/kafka/ca.pem";
  databaseUrl = "postgres://orderflow:${password}@database/orderflow?sslmode=verify-full&sslrootcert=${ca}";

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
in
cluster
// {
  nodes = cluster.nodes // {
    inherit database;
  };

  workersOf = services: {
    imports = [ (cluster.workersOf services) ];
    environment.etc."orderflow/database.env".text = ''
      DATABASE_URL=${databaseUrl}
    '';
    services.orderflow-worker.environmentFiles = [ "/etc/orderflow/database.env" ];
  };

  script =
    {
      nodes,
      client,
      facts,
    }:
    cluster.script {
      inherit nodes client;
      facts = facts // {
        inherit ca password;
        database_url = databaseUrl;
      };
    }
    + builtins.readFile ./database.py;
}
