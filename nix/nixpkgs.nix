# Packages of nixpkgs: for the machine that builds, or, static, for one that is named as `x86_64-unknown-linux-musl`.
{ nixpkgs, rust-overlay }:
system: target:
import nixpkgs (
  {
    localSystem = system;
    overlays = [ rust-overlay.overlays.default ];
    # Terraform's licence, BUSL-1.1, is free for whoever does not sell Terraform itself.
    config.allowUnfreePredicate = package: nixpkgs.lib.getName package == "terraform";
  }
  // nixpkgs.lib.optionalAttrs (target != null) {
    crossSystem = {
      config = target;
      isStatic = true;
    };
  }
)
