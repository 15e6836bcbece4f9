# The Rust workspace, static, for the machine that `pkgs` builds for. Its dependencies are built once, and everything begins with them.
{
  lib,
  pkgs,
  crane,
  sources,
}:
let
  craneLib = (crane.mkLib pkgs).overrideToolchain (import ./toolchain.nix);
  build = pkgs.buildPackages;
  host = pkgs.stdenv.hostPlatform.rust;
  # By their names alone: OpenSSL keeps that of its compiler, and what ships may name nothing in the store.
  prefix = pkgs.stdenv.cc.targetPrefix;

  common = {
    pname = "orderflow";
    inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;
    src = sources.programs;
    strictDeps = true;
    inherit cargoVendorDir;
    # librdkafka's configure knows no compiler but the machine's own, nor sources that it may not write to; its cmake does.
    cargoExtraArgs = "--locked --workspace --features kafka-transport/cmake-build";
    nativeBuildInputs = [
      build.cmake
      build.perl # configures OpenSSL
    ];
    depsBuildBuild = [ build.stdenv.cc ]; # for build scripts
    # crane's own would link build scripts statically, too, with a libc that has no such library (ipetkov/crane#1059).
    doIncludeCrossToolchainEnv = false;
    env = {
      CARGO_BUILD_TARGET = host.rustcTarget;
      "CARGO_TARGET_${host.cargoEnvVarTarget}_LINKER" = "${prefix}cc";
      CARGO_BUILD_RUSTFLAGS = "-C target-feature=+crt-static -C relocation-model=static";
      HOST_CC = "cc";
      HOST_CXX = "c++";
      HOST_AR = "ar";
      TARGET_CC = "${prefix}cc";
      TARGET_CXX = "${prefix}c++";
      TARGET_AR = "${prefix}ar";
    };
  };

  cargoVendorDir = craneLib.vendorCargoDeps {
    src = sources.programs;
    # Before 2.15 its cmake leaves this defined as 0, and asks for curl (confluentinc/librdkafka#5135).
    overrideVendorCargoPackage =
      package: source:
      if package.name != "rdkafka-sys" then
        source
      else
        source.overrideAttrs {
          postPatch = ''
            substituteInPlace librdkafka/src/rdkafka_conf.c \
              --replace-fail '#ifdef WITH_OAUTHBEARER_OIDC' '#if WITH_OAUTHBEARER_OIDC'
          '';
        };
  };

  cargoArtifacts = craneLib.buildDepsOnly common;
  checked =
    check: more:
    check (
      common
      // {
        inherit cargoArtifacts;
        src = sources.tests;
        doInstallCargoArtifacts = false;
      }
      // more
    );
in
{
  inherit cargoArtifacts;

  # orderflow, shop-functions and lambda-emulator. What ships refers to nothing in the store, for no other machine has it.
  programs = craneLib.buildPackage (
    common
    // {
      inherit cargoArtifacts;
      doCheck = false; # the tests are a check of their own
      allowedReferences = [ ];
      meta = {
        description = "Event-driven order processing on Apache Kafka: run it, break it, prove that nothing was lost";
        license = lib.licenses.asl20;
        mainProgram = "orderflow";
        platforms = lib.platforms.linux;
      };
    }
  );

  checks = {
    clippy = checked craneLib.cargoClippy {
      cargoClippyExtraArgs = "--all-targets -- --deny warnings";
    };
    docs = checked craneLib.cargoDoc {
      env = common.env // {
        RUSTDOCFLAGS = "--deny warnings";
      };
    };
    # What needs Java, PyPI or root is `ci/test`'s, and the virtual machines'; what reads documents is `ci/test`'s, too, for they are no source.
    nextest = checked craneLib.cargoNextest {
      cargoNextestExtraArgs = "-E 'not (group(kafka) or group(operator) or group(lambda) or group(aws) or group(fleet) or binary(documents))'";
      nativeBuildInputs = common.nativeBuildInputs ++ [
        build.openssh
        build.openssl
        build.postgresql # a server of its own for each test of a store
        build.python3 # what of Ansible is Python
        build.util-linux # setsid, which keeps a cluster
      ];
      preCheck = ''
        patchShebangs ci
        export HOME=$TMPDIR
      '';
    };
  };
}
