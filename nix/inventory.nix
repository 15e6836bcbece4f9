# Ansible's inventory, from a file that has what `terraform -chdir=terraform/cluster output -json` printed.
{ runCommand, orderflow }:
outputs:
runCommand "inventory.ini" { nativeBuildInputs = [ orderflow ]; } ''
  orderflow inventory ${outputs} >$out
''
