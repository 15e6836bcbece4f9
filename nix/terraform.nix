# Terraform with its provider, and what it says of each root, without any network.
{
  runCommand,
  terraform,
  sources,
}:
let
  program = terraform.withPlugins (providers: [ providers.hashicorp_aws ]);
in
{
  inherit program;

  check = runCommand "terraform-check" { nativeBuildInputs = [ program ]; } ''
    cp -r ${sources.terraform}/. .
    chmod -R u+w .
    terraform fmt -check -diff -recursive terraform
    for root in cluster services food; do
      terraform -chdir=terraform/$root init -backend=false -input=false
      terraform -chdir=terraform/$root validate
      terraform -chdir=terraform/$root test
    done
    touch $out
  '';
}
