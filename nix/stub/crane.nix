# crane: one derivation for what the workspace depends on, of its manifests and lock alone, and others that begin with that.
let
  derived =
    pkgs: name: arguments:
    pkgs.stdenv.mkDerivation (
      removeAttrs arguments [ "pnameSuffix" ] // { pname = "${arguments.pname}${name}"; }
    );

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
      derived pkgs "-deps" (
        arguments
        // {
          src = manifests arguments.src;
          toolchain = toolchain pkgs;
        }
      );
    buildPackage = arguments: derived pkgs "" (arguments // { toolchain = toolchain pkgs; });
    cargoClippy = derived pkgs "-clippy";
    cargoDoc = derived pkgs "-doc";
    cargoNextest = derived pkgs "-nextest";
  };
in
{
  mkLib = pkgs: library pkgs (_: throw "crane has nixpkgs' own Rust, and not the pinned one");
}
