# Certificates for nodes of these addresses, by the script with which Ansible issues them: ca.pem, and hosts/NAME.pem with its key.
{ lib, pkgs }:
addresses:
pkgs.runCommand "test-certificates"
  {
    nativeBuildInputs = [ pkgs.openssl ];
    # NAME SUBJECT SUBJECT_ALT_NAMES a line. One subject for all: what one broker writes into ZooKeeper the others may change.
    hosts = lib.concatLines (
      lib.mapAttrsToList (name: address: "${name} kafka DNS:${name},IP:${address}") addresses
    );
  }
  ''
    bash ${../../../ansible/roles/certificates/files/issue} $out 825 30 <<<"$hosts"
  ''
