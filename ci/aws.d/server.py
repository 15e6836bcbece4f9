"""moto_server, which here does as AWS does in the places that Terraform runs into."""

import sys
from threading import Lock
from typing import Any

from moto.ec2.models.instances import Instance
from moto.iam import access_control
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.route53.responses import Route53
from moto.server import main

Statement = next(one for one in vars(access_control).values() if isinstance(one, type) and "_check_conditions" in vars(one))
is_action_permitted = Statement.is_action_permitted
get_bool_param = Route53._get_bool_param
init_instance = Instance.__init__
dispatch = DomainDispatcherApplication.__call__
one_at_a_time = Lock()


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


def dispatch_alone(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """What moto keeps bears no two requests at once, and Terraform makes ten: one that fails halfway is repeated by its client, and
    finds what it has made itself."""
    with one_at_a_time:
        return dispatch(self, environ, start_response)


Statement.is_action_permitted = is_action_permitted_behind_tls
Route53._get_bool_param = get_bool_param_of_zone
Instance.__init__ = init_instance_with_interface
DomainDispatcherApplication.__call__ = dispatch_alone

if __name__ == "__main__":
    sys.exit(main())
