# One program of the workspace each, for those who want no more of it.
{
  dockerTools,
  lib,
  orderflow,
  runCommand,
  topology,
}:
let
  only =
    name: description:
    runCommand name
      {
        meta = {
          inherit (orderflow.meta) license platforms;
          inherit description;
          mainProgram = name;
        };
      }
      ''
        install -D ${orderflow}/bin/${name} $out/bin/${name}
      '';
  worker = only "orderflow" "One of orderflow's services, as a member of its consumer groups";
in
{
  lambda-emulator = only "lambda-emulator" "AWS Lambda on one machine, with Kafka event source mappings";

  # `docker run --memory 128m orderflow payment_processor`, with KAFKA_BROKERS and the like in its environment. An image cannot hold
  # a worker's limit of 128 MB; whoever runs it has to, as compose.yaml does, which calls /bin/orderflow by that name.
  image = dockerTools.buildLayeredImage {
    name = "orderflow";
    tag = orderflow.version;
    extraCommands = ''
      test -f ${topology}/topology.json # no image of a topology that breaks a rule
      mkdir bin
      ln -s ${lib.getExe worker} bin/orderflow
    '';
    config = {
      Entrypoint = [
        (lib.getExe worker)
        "work"
      ];
      User = "65534:65534"; # nobody: it needs neither rights nor files
      Labels = {
        "org.opencontainers.image.description" = worker.meta.description;
        "org.opencontainers.image.licenses" = "Apache-2.0";
        "org.opencontainers.image.version" = orderflow.version;
      };
    };
  };
}
