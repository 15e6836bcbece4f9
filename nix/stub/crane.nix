# crane: one derivation for what the workspace depends on, of its manifests and lock alone, and others that begin with that.
let
  # What we hand to each of its functions: crane itself takes a word that it does not know for a variable of the build.
  common = [
    "cargoArtifacts"
    "cargoExtraArgs"
    "cargoVendorDir"
    "depsBuildBuild"
    "doIncludeCrossToolchainEnv"
    "doInstallCargoArtifacts"
    "env"
    "nativeBuildInputs"
    "pname"
    "src"
    "strictDeps"
    "toolchain"
    "version"
  ];
  derived =
    pkgs: suffix: own: arguments:
    let
      unknown = builtins.filter (name: !builtins.elem name (common ++ own)) (
        builtins.attrNames arguments
      );
    in
    if unknown != [ ] then
      throw "crane: nix/stub/crane.nix knows no argument ${toString unknown} of what makes `${arguments.pname}${suffix}`"
    else
      pkgs.stdenv.mkDerivation (arguments // { pname = "${arguments.pname}${suffix}"; });

  # As crane's: what a change of a source file does not touch.
  manifests =
    src:
    builtins.path {
      path = src;
      name = "manifests";
      filter =
        path: type:
        type == "directory" && !isSources path
        || builtins.elem (baseNameOf path) [
          "Cargo.toml"
          "Cargo.lock"
        ];
    };
  isSources =
    path:
    builtins.elem (baseNameOf path) [
      "benches"
      "ci"
      "examples"
      "src"
      "tests"
    ];

  library = pkgs: toolchain: {
    overrideToolchain = library pkgs;
    vendorCargoDeps =
      {
        src,
        overrideVendorCargoPackage ? (_: source: source),
      }:
      let
        packages = (fromTOML (builtins.readFile (src + "/Cargo.lock"))).package;
        crates = builtins.filter (package: package ? checksum) packages;
        vendored =
          package:
          overrideVendorCargoPackage package (
            pkgs.stdenv.mkDerivation {
              inherit (package) version;
              pname = package.name;
              hash = package.checksum;
            }
          );
      in
      pkgs.stdenv.mkDerivation {
        pname = "vendor";
        version = "0";
        crates = map vendored crates;
      };
    buildDepsOnly =
      arguments:
      derived pkgs "-deps" [ ] (
        arguments
        // {
          src = manifests arguments.src;
          toolchain = toolchain pkgs;
        }
      );
    buildPackage =
      arguments:
      derived pkgs "" [
        "allowedReferences"
        "doCheck"
        "meta"
      ] (arguments // { toolchain = toolchain pkgs; });
    cargoClippy = derived pkgs "-clippy" [ "cargoClippyExtraArgs" ];
    cargoDoc = derived pkgs "-doc" [ "cargoDocExtraArgs" ];
    cargoNextest = derived pkgs "-nextest" [
      "cargoNextestExtraArgs"
      "preCheck"
    ];
  };
in
{
  mkLib = pkgs: library pkgs (_: throw "crane has nixpkgs' own Rust, and not the pinned one");
}
