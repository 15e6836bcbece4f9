# A secured Kafka of three nodes for tests, as ansible/ makes one of seven hosts: its nodes, what a host of workers needs, and what the
# test script of a test that begins with cluster.py has to know. Users, topics and rights are those of topology.json.
#
# Its passwords and keys stand in the store, where everybody can read them.
{
  lib,
  pkgs,
  modules,
  packages,
  kafkaHome,
  servers ? [ ], # nodes of other servers that clients trust by the same authority
  ...
}:
let
  topology = lib.importJSON ../../../topology.json;
  java = pkgs.jdk17_headless;

  numbers = {
    kafka1 = 1;
    kafka2 = 2;
    kafka3 = 3;
  };

  # Services, and who is none, as in Ansible's role kafka_access.
  users = lib.attrNames topology.services ++ [
    "admin"
    "broker"
  ];
  passwords = lib.genAttrs users (user: "password-of-${user}");
  brokers = map (name: "${name}:9093") (lib.attrNames numbers);

  # The test framework gives nodes their addresses, as late as this.
  addressesOf = nodes: lib.mapAttrs (name: _: nodes.${name}.networking.primaryIPAddress) numbers;

  # One subject for the three: what one broker writes into ZooKeeper the others may change, and nobody else.
  subjects = lib.mapAttrs (_: _: "kafka") numbers // lib.genAttrs servers (name: name);
  certificatesOf =
    nodes:
    import ./certificates.nix { inherit lib pkgs; } (
      lib.mapAttrs (name: subject: {
        inherit subject;
        address = nodes.${name}.networking.primaryIPAddress;
      }) subjects
    );

  # As Ansible's templates/client.properties.j2.
  propertiesOf = user: password: {
    "kafka/${user}.properties".text = ''
      security.protocol=SASL_SSL
      sasl.mechanism=SCRAM-SHA-512
      sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="${user}" password="${password}";
      ssl.truststore.type=PEM
      ssl.truststore.location=/etc/kafka/ca.pem
    '';
  };

  credentialsOf = user: password: {
    "orderflow/${user}.env".text = ''
      KAFKA_USERNAME=${user}
      KAFKA_PASSWORD=${password}
    '';
  };

  # A NixOS module: /etc/orderflow/USER.env for orderflow, which is there, and /etc/kafka/USER.properties for Kafka's commands.
  client =
    { nodes, ... }:
    {
      environment.systemPackages = [ packages.orderflow ];
      environment.etc = lib.mkMerge (
        [ { "kafka/ca.pem".source = "${certificatesOf nodes}/ca.pem"; } ]
        ++ lib.mapAttrsToList propertiesOf passwords
        ++ lib.mapAttrsToList credentialsOf passwords
      );
    };
in
{
  inherit
    topology
    passwords
    brokers
    certificatesOf
    ;

  # The names of a system's services.
  servicesOf =
    system: lib.attrNames (lib.filterAttrs (_: service: service.system == system) topology.services);

  # A NixOS module: these services as workers, each its own user, beside what a client needs. A test starts them: after users, topics and
  # rights.
  workersOf = services: {
    imports = [
      modules.orderflow-worker
      client
    ];
    services.orderflow-worker = {
      enable = true;
      inherit brokers;
      caFile = "/etc/kafka/ca.pem";
      workers = lib.genAttrs services (service: {
        credentialsFile = "/etc/orderflow/${service}.env";
      });
    };
    systemd.services = lib.genAttrs (map (service: "orderflow-worker-${service}-1") services) (_: {
      wantedBy = lib.mkForce [ ];
    });
  };

  nodes = lib.mapAttrs (
    name: number:
    { nodes, ... }:
    {
      imports = [
        (import ./node.nix {
          inherit
            kafkaHome
            java
            number
            addressesOf
            ;
          password = passwords.broker;
        })
      ];
      environment.etc = {
        "kafka/ca.pem".source = "${certificatesOf nodes}/ca.pem";
        "kafka/host.pem".source = "${certificatesOf nodes}/hosts/${name}.pem";
      };
    }
  ) numbers;

  # The beginning of a test script: `client` is the name of a node with workers, `facts` are of the test's own.
  script =
    {
      nodes,
      client,
      facts,
    }:
    let
      known = facts // {
        inherit passwords;
        topology = "${packages.topology}/topology.json"; # no machine for one that breaks a rule
        brokers = lib.concatStringsSep "," brokers;
        zookeepers = lib.concatMapStringsSep "," (address: "${address}:2181") (
          lib.attrValues (addressesOf nodes)
        );
        kafka_home = "${kafkaHome}";
        java_home = "${java}";
        openssl = lib.getExe' pkgs.openssl "openssl";
        kafka_access = "${../../../ansible/roles/kafka_access/filter_plugins/kafka_access.py}";
      };
    in
    ''
      import json

      facts = json.loads(${builtins.toJSON (builtins.toJSON known)})
      client = ${client}

    ''
    + builtins.readFile ./cluster.py;
}
