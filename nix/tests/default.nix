# Every test of this folder, NAME.nix as NAME: a function of these arguments to what runNixOSTest takes.
#
# - lib, pkgs: nixpkgs', pkgs of the system that runs the test
# - modules: what ../modules gives
# - packages: this flake's for that system; orderflow, lambda-emulator and lambdas are used
# - kafkaHome: Apache Kafka 3.9.2 with ZooKeeper: libs/*.jar, config/log4j.properties, and bin/kafka-*.sh
args@{ lib, pkgs, ... }:
let
  isTest = name: type: type == "regular" && lib.hasSuffix ".nix" name && name != "default.nix";
  files = lib.attrNames (lib.filterAttrs isTest (builtins.readDir ./.));
  testOf = file: pkgs.testers.runNixOSTest (import (./. + "/${file}") args);
in
lib.listToAttrs (map (file: lib.nameValuePair (lib.removeSuffix ".nix" file) (testOf file)) files)
