# What `nix run` runs. Each is a script of nix/apps with its programs beside it, whatever the machine has.
{
  lib,
  writeShellApplication,
  awscli,
  curl,
  jdk17_headless,
  openssh,
  openssl,
  postgresql,
  util-linux,
  ansible,
  stdenv,
  self,
  system,
  sources,
  orderflow,
  kafkaHome,
  terraformRoots,
  tools,
}:
let
  # What `orderflow deploy` and `destroy` call.
  deployment = [
    ansible
    awscli
    curl
    openssh
    openssl
    terraformRoots.program
    util-linux
  ];

  # What `orderflow cluster` calls.
  local = {
    runtimeInputs = [
      jdk17_headless
      orderflow
      postgresql
      util-linux
    ];
    runtimeEnv.KAFKA_HOME = kafkaHome;
  };

  app = name: description: extra: {
    type = "app";
    program = lib.getExe (
      writeShellApplication (
        {
          inherit name;
          text = builtins.readFile ./apps/${name}.sh;
        }
        // extra
      )
    );
    meta = { inherit description; };
  };

  run = {
    type = "app";
    program = lib.getExe orderflow;
    meta.description = "The operator's command; without arguments ten thousand orders through the shop, and the audit";
  };
in
{
  inherit run;
  default = run;

  deploy = app "deploy" "Deploys to AWS, once virtual machines have run the flow that is deployed" {
    runtimeInputs = deployment;
    runtimeEnv = {
      FLAKE = self;
      KVM = "/dev/kvm";
      SYSTEM = system;
      SOURCE = sources.deployment;
    };
  };

  destroy = app "destroy" "Destroys a deployment, and proves that nothing of it is left" {
    runtimeInputs = deployment ++ [ orderflow ];
  };

  rehearse = app "rehearse" "Rehearses deploy and destroy on this machine, as root, from a checkout" {
    runtimeInputs = tools.packages ++ [ stdenv.cc ]; # cargo links with it
    runtimeEnv = tools.environment;
  };

  cluster = app "cluster" "A secured Kafka cluster on this machine" local;

  setup-local = app "setup-local" "Kafka with our topics, and PostgreSQL, on this machine" local;

  healthcheck = app "healthcheck" "Whether brokers, topics, database and workers answer" {
    runtimeInputs = [ orderflow ];
  };

  update = app "update" "Moves the flake's pins, and says what has to follow them" { };
}
