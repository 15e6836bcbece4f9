# services.shop-functions: the shop's functions in lambda-emulator, as terraform/services puts them on AWS.
{ config, lib, ... }:
let
  cfg = config.services.shop-functions;
  common = import ./cluster-options.nix { inherit lib; };
  topology = lib.importJSON cfg.topology;
  services = lib.filterAttrs (_: service: service.host == "lambda") topology.services;
  # Who has no secrets speaks to brokers without security.
  isSecured = config.services.lambda-emulator.secretsFile != null;
  secretOf = name: "orderflow/kafka/${name}";

  # Joins no Kafka: it shows that a zip runs.
  helloWorld = {
    timeout_s = 3;
    memory_mib = 128;
  };

  functionOf = name: service: variables: {
    FunctionName = name;
    Runtime = "provided.al2023";
    Handler = name;
    Timeout = service.timeout_s;
    MemorySize = service.memory_mib;
    Code.ZipFile = "fileb://${cfg.lambdas}/${name}.zip";
    Environment.Variables = variables;
  };

  variablesOf =
    name: service:
    lib.mapAttrs' (
      setting: number: lib.nameValuePair (lib.toUpper setting) (toString number)
    ) service.settings
    // {
      KAFKA_BROKERS = lib.concatStringsSep "," cfg.brokers;
      ANSWER_MODE = "whole"; # mappings without ReportBatchItemFailures take a partial answer for success
    }
    // lib.optionalAttrs isSecured {
      KAFKA_USERNAME = name;
      KAFKA_SECRET_ID = secretOf name;
      KAFKA_CA_SECRET_ID = secretOf "ca";
    };

  mappingOf =
    name: consumption:
    {
      FunctionName = name;
      Topics = [ consumption.topic ];
      StartingPosition = "TRIM_HORIZON";
      BatchSize = consumption.batch_records;
      SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS = cfg.brokers;
      SelfManagedKafkaEventSourceConfig.ConsumerGroupId =
        if consumption.group != null then consumption.group else "${name}.${consumption.topic}";
    }
    // lib.optionalAttrs isSecured {
      SourceAccessConfigurations = [
        {
          Type = "SASL_SCRAM_512_AUTH";
          URI = secretOf name;
        }
        {
          Type = "SERVER_ROOT_CA_CERTIFICATE";
          URI = secretOf "ca";
        }
      ];
    };

  scheduleOf = name: {
    Name = name;
    ScheduleExpression = cfg.schedule;
    FlexibleTimeWindow.Mode = "OFF";
    Target = {
      Arn = "arn:aws:lambda:us-east-1:000000000000:function:${name}";
      RoleArn = "arn:aws:iam::000000000000:role/${name}";
      # Orders derive from this time, so that a retry places the same ones.
      Input = ''{"scheduled_time":"<aws.scheduler.scheduled-time>"}'';
    };
  };
in
{
  imports = [ ./lambda-emulator.nix ];

  options.services.shop-functions = {
    enable = lib.mkEnableOption "the shop's functions in services.lambda-emulator";

    lambdas = lib.mkOption {
      type = lib.types.package;
      description = "The package with `NAME.zip` for `hello_world` and each service that runs on Lambda.";
    };

    topology = common.topology "functions, mappings, their limits and settings";

    brokers = common.brokers ''
      . Where they are secured, {option}`services.lambda-emulator.secretsFile` has
      `orderflow/kafka/SERVICE` for each service's user, and `orderflow/kafka/ca`.
    '';

    schedule = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "rate\\([0-9]+ (minute|hour|day)s?\\)");
      default = "rate(1 minute)";
      description = "When services that read no topic are invoked by themselves; null is never.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.lambda-emulator = {
      enable = true;
      functions = [
        (functionOf "hello_world" helloWorld { })
      ]
      ++ lib.mapAttrsToList (name: service: functionOf name service (variablesOf name service)) services;
      eventSourceMappings = lib.concatLists (
        lib.mapAttrsToList (name: service: map (mappingOf name) service.consumes) services
      );
      schedules = lib.optionals (cfg.schedule != null) (
        map scheduleOf (lib.attrNames (lib.filterAttrs (_: service: service.consumes == [ ]) services))
      );
    };
  };
}
