# The flake's NixOS modules, each with the packages of this flake by default.
{ self }:
let
  packagesOf = pkgs: self.packages.${pkgs.stdenv.hostPlatform.system};

  # Keys: who imports one of them twice, such as by `default`, has it once.
  orderflow-worker =
    { lib, pkgs, ... }:
    {
      key = "orderflow#orderflow-worker";
      imports = [ ./orderflow-worker.nix ];
      services.orderflow-worker.package = lib.mkDefault (packagesOf pkgs).orderflow;
    };

  lambda-emulator =
    { lib, pkgs, ... }:
    {
      key = "orderflow#lambda-emulator";
      imports = [ ./lambda-emulator.nix ];
      services.lambda-emulator.package = lib.mkDefault (packagesOf pkgs).lambda-emulator;
    };

  shop-functions =
    { lib, pkgs, ... }:
    {
      key = "orderflow#shop-functions";
      imports = [
        lambda-emulator
        ./shop-functions.nix
      ];
      services.shop-functions.lambdas = lib.mkDefault (packagesOf pkgs).lambdas;
    };
in
{
  inherit orderflow-worker lambda-emulator shop-functions;
  default.imports = [
    orderflow-worker
    lambda-emulator
    shop-functions
  ];
}
