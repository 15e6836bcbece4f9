# services.orderflow-worker: services of topology.json as members of their consumer groups, each instance a unit. The saga's keep what
# they know in a PostgreSQL, food_consumer its orders.
{
  config,
  lib,
  utils,
  ...
}:
let
  cfg = config.services.orderflow-worker;
  common = import ./cluster-options.nix { inherit lib; };
  known = lib.attrNames (lib.importJSON cfg.topology).services;

  unitsOf = name: worker: lib.genList (unitOf name worker) worker.instances;

  unitOf =
    name: worker: index:
    let
      number = index + 1;
    in
    # A number also where there is but one: a second instance leaves the first alone.
    lib.nameValuePair "orderflow-worker-${name}-${toString number}" {
      description = "orderflow, ${lib.concatStringsSep ", " worker.services}, instance ${toString number}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "postgresql.target" # where the database is this machine's; else there is no such unit, and nothing is waited for
      ];
      # Without brokers or database a worker ends: it comes back until they are there, however long that takes. RestartSec is the
      # brake; a limit of starts would be used up within minutes, and then somebody would have to come.
      startLimitIntervalSec = 0;
      environment = {
        KAFKA_BROKERS = lib.concatStringsSep "," cfg.brokers;
        KAFKA_CA_FILE = if cfg.caFile == null then null else "%d/ca.pem";
        RUST_LOG = cfg.logLevel;
      };
      serviceConfig = import ./hardening.nix // {
        Type = "notify"; # READY=1 once each group has given it its place
        ExecStart = utils.escapeSystemdExecArgs (
          [
            (lib.getExe' cfg.package "orderflow")
            "work"
          ]
          ++ worker.services
          ++ [
            "--topology"
            "${cfg.topology}"
          ]
          ++ lib.optionals (worker.listen != null) [
            "--listen"
            "${worker.listen.address}:${toString (worker.listen.port + index)}"
          ]
          ++ worker.extraArgs
        );
        EnvironmentFile =
          cfg.environmentFiles ++ lib.optional (worker.credentialsFile != null) worker.credentialsFile;
        LoadCredential = lib.optional (cfg.caFile != null) "ca.pem:${cfg.caFile}";
        Restart = "on-failure";
        RestartSec = 5;
        RestartPreventExitStatus = 2; # its settings are wrong, and will be again
        TimeoutStopSec = 30; # it drains for ten seconds at most
        MemoryMax = worker.memoryMax;
        MemoryDenyWriteExecute = true;
      };
    };
in
{
  options.services.orderflow-worker = {
    enable = lib.mkEnableOption "orderflow's workers on Apache Kafka";

    package = lib.mkOption {
      type = lib.types.package;
      description = "The package with `bin/orderflow`.";
    };

    topology = common.topology "which services there are, and what each reads and writes";

    brokers = common.brokers " (`KAFKA_BROKERS`).";

    caFile = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      example = "/var/lib/secrets/kafka-ca.pem";
      description = ''
        Certificate of the authority that signed the brokers' certificates (`KAFKA_CA_FILE`). systemd reads it as root and
        hands it on. Needed where brokers are behind TLS.
      '';
    };

    environmentFiles = lib.mkOption {
      type = lib.types.listOf lib.types.externalPath;
      default = [ ];
      example = [ "/var/lib/secrets/database.env" ];
      description = ''
        Files outside the store with further variables for each worker, `NAME=..` a line, such as the database in which the
        services of the saga keep what they know and `food_consumer` stores orders:
        `DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`, FILE being readable by
        everybody. The database is USER's own: its tables are made as a worker starts. Without that variable what the saga
        knows is in the memory of its process, and `food_consumer` refuses to start. `ORDER_RATE=..` is how many orders a
        second `food_producer` places, where they are not the topology's.
      '';
    };

    logLevel = lib.mkOption {
      type = lib.types.enum [
        "error"
        "warn"
        "info"
        "debug"
      ];
      default = "info";
      description = "What is logged, as JSON lines, to the journal (`RUST_LOG`).";
    };

    workers = lib.mkOption {
      default = { };
      example = lib.literalExpression ''
        {
          payment_processor = {
            instances = 3;
            credentialsFile = "/var/lib/secrets/payment_processor.env";
          };
        }
      '';
      description = "What runs here: services by their names in the topology, or several as one worker by any name.";
      type = lib.types.attrsOf (
        lib.types.submodule (
          { name, ... }:
          {
            options = {
              services = lib.mkOption {
                type = lib.types.nonEmptyListOf lib.types.str;
                default = [ name ];
                defaultText = lib.literalMD "the worker's name";
                example = [
                  "order_service"
                  "payment_service"
                ];
                description = ''
                  The services of each instance, in one process and as one user of Kafka. Without a database all services of the saga
                  have to be in one, of which there is one instance.
                '';
              };

              instances = lib.mkOption {
                type = lib.types.ints.positive;
                default = 1;
                description = "How many run here. Members of a group share its partitions: more than these have nothing to do.";
              };

              credentialsFile = lib.mkOption {
                type = lib.types.nullOr lib.types.externalPath;
                default = null;
                example = "/var/lib/secrets/payment_processor.env";
                description = ''
                  File outside the store with `KAFKA_USERNAME=..` and `KAFKA_PASSWORD=..`, a line each: the service's own user,
                  with the rights of `orderflow topology show`. Without it the connection is plaintext.
                '';
              };

              listen = lib.mkOption {
                type = lib.types.nullOr (
                  lib.types.submodule {
                    options = {
                      address = lib.mkOption {
                        type = lib.types.str;
                        default = "127.0.0.1";
                        description = "Address, or name, of this machine.";
                      };
                      port = lib.mkOption {
                        type = lib.types.port;
                        description = "Port of the first instance; each further one takes the next.";
                      };
                    };
                  }
                );
                default = null;
                example = {
                  port = 9400;
                };
                description = "Where `/health/live`, `/health/ready` and `/metrics` are served. Nobody has to log in.";
              };

              memoryMax = lib.mkOption {
                type = lib.types.str;
                default = "128M";
                example = "256M";
                description = "What an instance may take before the kernel ends it (`MemoryMax`).";
              };

              extraArgs = lib.mkOption {
                type = lib.types.listOf lib.types.str;
                default = [ ];
                example = [
                  "--rate"
                  "100"
                ];
                description = "Further arguments of `orderflow work`, for each instance.";
              };
            };
          }
        )
      );
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = lib.concatLists (
      lib.mapAttrsToList (
        name: worker:
        map (service: {
          assertion = lib.elem service known;
          message = "services.orderflow-worker.workers.${name}: ${toString cfg.topology} has no service ${service}; there are ${lib.concatStringsSep ", " known}.";
        }) worker.services
        ++ [
          {
            assertion = cfg.caFile != null -> worker.credentialsFile != null;
            message = "services.orderflow-worker.workers.${name}.credentialsFile: missing, but caFile says that brokers are behind TLS, where each worker needs a user; set both, or neither.";
          }
        ]
      ) cfg.workers
    );

    systemd.services = lib.listToAttrs (lib.concatLists (lib.mapAttrsToList unitsOf cfg.workers));
  };
}
