# A secured Kafka of three nodes for tests, as ansible/ makes one of seven hosts: its nodes, what a client of it needs, and what the
# test script of a test that begins with cluster.py has to know. Users, topics and rights are those of topology.json.
#
# Its passwords and keys stand in the store, where everybody can read them.
{
  lib,
  pkgs,
  kafkaHome,
}:
let
  topologyFile = ../../../topology.json;
  topology = lib.importJSON topologyFile;
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
  certificatesOf = nodes: import ./certificates.nix { inherit lib pkgs; } (addressesOf nodes);

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
in
{
  inherit
    topology
    passwords
    brokers
    certificatesOf
    ;

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

  # A NixOS module: /etc/orderflow/USER.env for orderflow, /etc/kafka/USER.properties for Kafka's commands.
  client =
    { nodes, ... }:
    {
      environment.etc = lib.mkMerge (
        [ { "kafka/ca.pem".source = "${certificatesOf nodes}/ca.pem"; } ]
        ++ lib.mapAttrsToList propertiesOf passwords
        ++ lib.mapAttrsToList credentialsOf passwords
      );
    };

  # The beginning of a test script: a function of the nodes and of facts of the test's own.
  script =
    nodes: facts:
    let
      known = facts // {
        inherit passwords;
        topology = "${topologyFile}";
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

    ''
    + builtins.readFile ./cluster.py;
}
