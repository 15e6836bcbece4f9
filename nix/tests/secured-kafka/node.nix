# One of the three nodes: a server of ZooKeeper and a broker, by NixOS' own modules. Its settings are those of Ansible's roles zookeeper and
# kafka, whose defaults/main.yml give the reason for each. What differs:
#
# - paths and names; one node has both
# - a test starts the broker: the user as whom brokers speak to each other has to be in ZooKeeper before
# - jars of Kafka's own archive for both, as there, instead of nixpkgs' zookeeper
{
  kafkaHome,
  java,
  number,
  addressesOf,
  password,
}:
{
  config,
  lib,
  nodes,
  pkgs,
  ...
}:
let
  addresses = lib.attrValues (addressesOf nodes);
  name = config.networking.hostName;
  logging = "-Dlog4j.configuration=file:${kafkaHome}/config/log4j.properties";
  restart = {
    Restart = "on-failure";
    RestartSec = 5;
    LimitNOFILE = 100000;
  };

  jaas = pkgs.writeText "jaas.conf" ''
    KafkaServer {
      org.apache.kafka.common.security.scram.ScramLoginModule required
      username="broker"
      password="${password}";
    };
  '';
in
{
  _file = ./node.nix; # errors name it, though a function made it

  virtualisation = {
    memorySize = 1536;
    cores = 2;
    diskSize = 2048;
  };

  networking.firewall.allowedTCPPorts = [
    2181 # ZooKeeper's clients
    2888
    3888 # ZooKeeper's servers among themselves
    9092 # brokers among themselves
    9093 # clients
  ];

  services.zookeeper = {
    enable = true;
    # The module wants the jars in lib/.
    package = pkgs.linkFarm "zookeeper" { lib = "${kafkaHome}/libs"; };
    jre = java;
    id = number;
    port = 0; # there is no port without TLS
    servers = lib.concatLines (
      lib.imap1 (id: address: "server.${toString id}=${address}:2888:3888") addresses
    );
    extraConf = ''
      tickTime=2000
      initLimit=10
      syncLimit=5
      autopurge.snapRetainCount=3
      maxClientCnxns=60
      admin.enableServer=false
      4lw.commands.whitelist=srvr, ruok, mntr
      secureClientPort=2181
      serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
      ssl.clientAuth=need
      ssl.keyStore.location=/etc/kafka/host.pem
      ssl.trustStore.location=/etc/kafka/ca.pem
      sslQuorum=true
      ssl.quorum.clientAuth=need
      ssl.quorum.keyStore.location=/etc/kafka/host.pem
      ssl.quorum.trustStore.location=/etc/kafka/ca.pem
    '';
    extraCmdLineOptions = [
      "-Xms64m"
      "-Xmx64m"
      "-XX:MaxDirectMemorySize=16m"
      "-XX:TieredStopAtLevel=1"
      "-XX:+UseSerialGC"
      "-XX:+ExitOnOutOfMemoryError"
      "-Djava.awt.headless=true"
      logging
    ];
  };
  systemd.services.zookeeper.serviceConfig = restart // {
    SuccessExitStatus = 143;
  };

  services.apache-kafka = {
    enable = true;
    package = kafkaHome;
    jre = java;
    jvmOptions = [
      "-Xms288m"
      "-Xmx288m"
      "-XX:MaxDirectMemorySize=64m"
      "-XX:MaxMetaspaceSize=128m"
      "-XX:ReservedCodeCacheSize=64m"
      "-XX:+UseSerialGC"
      "-XX:+ExitOnOutOfMemoryError"
      "-Djava.awt.headless=true"
      "-Djava.security.auth.login.config=${jaas}"
      "-Dzookeeper.sasl.client=false"
    ];
    settings = {
      "broker.id" = number;
      "broker.rack" = name;
      "log.dirs" = [ "/var/lib/apache-kafka" ];

      listeners = [
        "BROKER://:9092"
        "CLIENT://:9093"
      ];
      "advertised.listeners" = [
        "BROKER://${name}:9092"
        "CLIENT://${name}:9093"
      ];
      "listener.security.protocol.map" = [
        "BROKER:SASL_SSL"
        "CLIENT:SASL_SSL"
      ];
      "inter.broker.listener.name" = "BROKER";
      "sasl.enabled.mechanisms" = "SCRAM-SHA-512";
      "sasl.mechanism.inter.broker.protocol" = "SCRAM-SHA-512";
      "ssl.keystore.type" = "PEM";
      "ssl.keystore.location" = "/etc/kafka/host.pem";
      "ssl.truststore.type" = "PEM";
      "ssl.truststore.location" = "/etc/kafka/ca.pem";

      "authorizer.class.name" = "kafka.security.authorizer.AclAuthorizer";
      "allow.everyone.if.no.acl.found" = false;
      "super.users" = "User:broker;User:admin";

      # By addresses: by its own name a node of NixOS finds itself at 127.0.0.2, which is in no certificate.
      "zookeeper.connect" = map (address: "${address}:2181") addresses;
      "zookeeper.set.acl" = true;
      "zookeeper.clientCnxnSocket" = "org.apache.zookeeper.ClientCnxnSocketNetty";
      "zookeeper.ssl.client.enable" = true;
      "zookeeper.ssl.keystore.location" = "/etc/kafka/host.pem";
      "zookeeper.ssl.truststore.location" = "/etc/kafka/ca.pem";
      "zookeeper.connection.timeout.ms" = 30000;

      "auto.create.topics.enable" = false;
      "default.replication.factor" = 3;
      "min.insync.replicas" = 2;
      "unclean.leader.election.enable" = false;
      "offsets.topic.replication.factor" = 3;
      "offsets.topic.num.partitions" = 12;
      "transaction.state.log.replication.factor" = 3;
      "transaction.state.log.min.isr" = 2;
      "transaction.state.log.num.partitions" = 12;

      "num.network.threads" = 2;
      "num.io.threads" = 4;
      "background.threads" = 4;
      "log.segment.bytes" = 67108864;
      "log.cleaner.dedupe.buffer.size" = 16777216;
    };
  };
  systemd.services.apache-kafka = {
    wantedBy = lib.mkForce [ ];
    serviceConfig = restart // {
      TimeoutStopSec = 180;
    };
  };

  # Where Kafka's commands learn how ZooKeeper is reached.
  environment.etc."kafka/server.properties".source =
    config.services.apache-kafka.configFiles.serverProperties;
}
