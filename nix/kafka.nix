# Apache Kafka with its ZooKeeper, laid out as the project's commands and tests want it (KAFKA_HOME): nixpkgs' package lacks the
# commands of ZooKeeper.
{
  runCommand,
  apacheKafka_3_9,
}:
runCommand "kafka-home" { } ''
  mkdir $out
  ln -s ${apacheKafka_3_9}/libs $out/libs
  cp -r ${../ci/kafka-dist.d/bin} $out/bin
  cp -r ${../ci/kafka-dist.d/config} $out/config
  patchShebangs $out/bin
''
