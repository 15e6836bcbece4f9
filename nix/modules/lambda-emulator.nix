# services.lambda-emulator: Lambda functions of any runtime behind Kafka, without AWS.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.lambda-emulator;
  json = pkgs.formats.json { };

  bodies = json.generate "lambda-emulator.json" {
    Functions = cfg.functions;
    EventSourceMappings = cfg.eventSourceMappings;
    Schedules = cfg.schedules;
  };
  hasSecrets = cfg.secretsFile != null;
  complete = "/run/lambda-emulator/config.json";

  bodiesOption =
    action: example:
    lib.mkOption {
      type = lib.types.listOf json.type;
      default = [ ];
      inherit example;
      description = "Bodies of AWS's `${action}`, name by name. What the emulator does not support it refuses as it starts.";
    };
in
{
  options.services.lambda-emulator = {
    enable = lib.mkEnableOption "lambda-emulator, AWS Lambda on one machine";

    package = lib.mkOption {
      type = lib.types.package;
      description = "The package with `bin/lambda-emulator`.";
    };

    listen = lib.mkOption {
      type = lib.types.strMatching ".+:[0-9]+";
      default = "127.0.0.1:9001";
      description = ''
        Where Lambda's API is served, as `ADDRESS:PORT`. On an address of loopback everybody on the machine may also create
        functions and read the secrets; on any other there is `Invoke` alone, without a login.
      '';
    };

    concurrency = lib.mkOption {
      type = lib.types.ints.between 1 1000;
      default = 10;
      description = "Environments of a function at most.";
    };

    functions = bodiesOption "CreateFunction" (
      lib.literalExpression ''
        [
          {
            FunctionName = "mine";
            Runtime = "provided.al2023";
            Handler = "any";
            Code.ZipFile = "fileb://''${./mine.zip}";
          }
        ]
      ''
    );

    eventSourceMappings = bodiesOption "CreateEventSourceMapping" [
      {
        FunctionName = "mine";
        Topics = [ "orders" ];
        StartingPosition = "TRIM_HORIZON";
        SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS = [ "localhost:9092" ];
      }
    ];

    schedules = bodiesOption "CreateSchedule" [
      {
        Name = "minutely";
        ScheduleExpression = "rate(1 minute)";
        FlexibleTimeWindow.Mode = "OFF";
        Target = {
          Arn = "arn:aws:lambda:us-east-1:000000000000:function:mine";
          RoleArn = "arn:aws:iam::000000000000:role/any";
          Input = "{}";
        };
      }
    ];

    secretsFile = lib.mkOption {
      type = lib.types.nullOr lib.types.externalPath;
      default = null;
      example = "/var/lib/secrets/lambda-emulator.json";
      description = ''
        JSON file outside the store with what stands in for Secrets Manager, by id:
        `{"kafka/mine": {"username": "mine", "password": ".."}, "kafka/ca": {"certificate": ".."}}`.
      '';
    };

    extraArgs = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [
        "--kill"
        "1%"
      ];
      description = "Further arguments of `lambda-emulator`, such as faults to inject.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.lambda-emulator = {
      description = "AWS Lambda, emulated";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 600;
      startLimitBurst = 10;
      path = lib.optional hasSecrets pkgs.jq;
      # Bodies come from the store, secrets from systemd: they meet in memory alone.
      preStart = lib.optionalString hasSecrets ''
        jq --slurpfile secrets "$CREDENTIALS_DIRECTORY/secrets.json" '. + {Secrets: $secrets[0]}' ${bodies} >${complete}
      '';
      serviceConfig = import ./hardening.nix // {
        # Its end is that of its functions: none is left behind.
        Type = "exec";
        ExecStart = utils.escapeSystemdExecArgs (
          [
            (lib.getExe' cfg.package "lambda-emulator")
            "--config"
            (if hasSecrets then complete else "${bodies}")
            "--listen"
            cfg.listen
            "--logs"
            "/var/log/lambda-emulator"
            "--concurrency"
            (toString cfg.concurrency)
          ]
          ++ cfg.extraArgs
        );
        LoadCredential = lib.optional hasSecrets "secrets.json:${cfg.secretsFile}";
        LogsDirectory = "lambda-emulator";
        LogsDirectoryMode = "0750";
        RuntimeDirectory = "lambda-emulator";
        RuntimeDirectoryMode = "0700";
        Restart = "on-failure";
        RestartSec = 5;
        RestartPreventExitStatus = 2; # its file is wrong, and will be again
        TimeoutStopSec = 60; # mappings finish and commit what is under way
        # Not MemoryDenyWriteExecute: functions are others' programs, and some compile as they run.
      };
    };
  };
}
