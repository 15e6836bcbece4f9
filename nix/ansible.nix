# The playbooks, by `ci/ansible`: lint, syntax, every template, alerts, and refusals.
{
  runCommand,
  openssl,
  prometheus,
  sources,
  venvs,
}:
runCommand "ansible-check"
  {
    nativeBuildInputs = [
      openssl
      prometheus.cli
    ];
    ORDERFLOW_VENVS = venvs;
    LC_ALL = "C.UTF-8";
  }
  ''
    cp -r ${sources.ansible}/. .
    chmod -R u+w .
    patchShebangs ci
    HOME=$TMPDIR ci/ansible
    touch $out
  ''
