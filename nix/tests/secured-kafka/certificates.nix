# Certificates for nodes, NAME = { subject, address }, by the script with which Ansible issues them: ca.pem, and hosts/NAME.pem with its key.
{ lib, pkgs }:
nodes:
pkgs.runCommand "test-certificates"
  {
    nativeBuildInputs = [ pkgs.openssl ];
    # NAME SUBJECT SUBJECT_ALT_NAMES a line.
    hosts = lib.concatLines (
      lib.mapAttrsToList (
        name: { subject, address }: "${name} ${subject} DNS:${name},IP:${address}"
      ) nodes
    );
  }
  ''
    bash ${../../../ansible/roles/certificates/files/issue} $out 825 30 <<<"$hosts"
  ''
