# What `ci/venv` else fetches from PyPI, a folder of programs each (ORDERFLOW_VENVS).
{
  ansible,
  ansible-lint,
  awscli,
  linkFarm,
  python3,
  symlinkJoin,
}:
let
  venv =
    name: paths:
    symlinkJoin {
      name = "venv-${name}";
      inherit paths;
    };
in
linkFarm "venvs" {
  ansible = venv "ansible" [
    ansible
    ansible-lint
    (python3.withPackages (packages: [ packages.pyyaml ]))
  ];
  aws = venv "aws" [
    awscli
    (python3.withPackages (packages: [
      packages.boto3
      packages.flask
      packages.flask-cors
      packages.moto
    ]))
  ];
  aws-clients = venv "aws-clients" [
    awscli
    (python3.withPackages (packages: [ packages.boto3 ]))
  ];
}
