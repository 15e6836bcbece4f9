# Rust as rust-toolchain.toml names it, with the libraries of the machines that programs ship for.
pkgs:
(pkgs.rust-bin.fromRustupToolchainFile ../rust-toolchain.toml).override {
  extensions = [
    "clippy"
    "llvm-tools" # counts the lines that tests reach
    "rust-analyzer"
    "rust-src"
    "rustfmt"
  ];
  targets = [
    "x86_64-unknown-linux-musl"
    "aarch64-unknown-linux-musl"
  ];
}
