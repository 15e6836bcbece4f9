"""moto_server, which here does as AWS does in three places that Terraform runs into."""

import sys
from typing import Any

from moto.ec2.models.instances import Instance
from moto.iam import access_control
from moto.iam.access_control import PermissionResult
from moto.route53.responses import Route53
from moto.server import main

Statement = next(one for one in vars(access_control).values() if isinstance(one, type) and "_check_conditions" in vars(one))
is_action_permitted = Statement.is_action_permitted
get_bool_param = Route53._get_bool_param
init_instance = Instance.__init__


def is_action_permitted_behind_tls(self: Any, *arguments: Any, **options: Any) -> PermissionResult:
    """moto skips conditions that it does not know, so that a bucket for TLS alone would be closed: it is asked as if by TLS."""
    if self._statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
        return PermissionResult.NEUTRAL
    return is_action_permitted(self, *arguments, **options)


def get_bool_param_of_zone(self: Any, name: str, default: Any = None) -> Any:
    """A zone that names a VPC is private, though the request does not say so."""
    if name == "HostedZoneConfig.PrivateZone" and self._get_param("VPC.VPCId"):
        return True
    return get_bool_param(self, name, default)


def init_instance_with_interface(self: Any, *arguments: Any, **options: Any) -> None:
    """An instance has the security groups of its first interface, which ends with it."""
    init_instance(self, *arguments, **options)
    if not self.security_groups:
        self.security_groups = [group for interface in self.nics.values() for group in interface._group_set]
    for interface in self.nics.values():
        interface.delete_on_termination = True


Statement.is_action_permitted = is_action_permitted_behind_tls
Route53._get_bool_param = get_bool_param_of_zone
Instance.__init__ = init_instance_with_interface

if __name__ == "__main__":
    sys.exit(main())
