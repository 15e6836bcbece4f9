# Options that whoever runs services of a topology on a Kafka has: each a function of what is to be said of it there.
{ lib }:
{
  topology =
    uses:
    lib.mkOption {
      type = lib.types.path;
      default = ../../topology.json;
      defaultText = lib.literalMD "the `topology.json` of the package's own source";
      description = "The topology: ${uses}. Read as the system is evaluated.";
    };

  brokers =
    more:
    lib.mkOption {
      type = lib.types.nonEmptyListOf (lib.types.strMatching "[^,[:space:]]+:[0-9]+");
      example = [
        "kafka-1.example.org:9093"
        "kafka-2.example.org:9093"
      ];
      description = "Brokers as `HOST:PORT`${more}";
    };
}
