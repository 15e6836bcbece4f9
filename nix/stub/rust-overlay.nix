# rust-overlay: a toolchain that depends on what its file says, and on what is asked of it besides.
{
  overlays.default = final: prev: {
    rust-bin.fromRustupToolchainFile =
      file:
      let
        make =
          more:
          prev.stdenv.mkDerivation (
            {
              pname = "rust";
              version = (fromTOML (builtins.readFile file)).toolchain.channel;
            }
            // more
          );
      in
      make { } // { override = make; };
  };
}
