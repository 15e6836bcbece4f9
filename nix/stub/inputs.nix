# The flake's inputs, as stubs.
{
  nixpkgs = {
    outPath = ./nixpkgs;
    lib = (import ./lib.nix).listed;
  };
  crane = import ./crane.nix;
  rust-overlay = import ./rust-overlay.nix;
  treefmt-nix = import ./treefmt.nix;
}
