"""moto_server, which here does as AWS does in the places that a deployment runs into."""

import os
import sys
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import Instance
from moto.ec2.responses.general import General
from moto.ec2.utils import Base64EncodedString
from moto.iam import access_control
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.route53.responses import Route53
from moto.server import main

Statement = next(one for one in vars(access_control).values() if isinstance(one, type) and "_check_conditions" in vars(one))
is_action_permitted = Statement.is_action_permitted
get_bool_param = Route53._get_bool_param
init_instance = Instance.__init__
create_network_interface = NetworkInterfaceBackend.create_network_interface
get_console_output = General.get_console_output
dispatch = DomainDispatcherApplication.__call__
one_at_a_time = Lock()

CONSOLE_BYTES = 64 * 1024  # as much as EC2 keeps


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


def create_network_interface_in_subnet(self: Any, subnet: Any, address: Any = None, *arguments: Any, **options: Any) -> Any:
    """An interface has a free address of its subnet: moto gives those of VPC endpoints any that begins with 10."""
    of_subnet = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
    if isinstance(address, str) and ip_address(address) not in of_subnet.cidr:
        taken = {interface.private_ip_address for interface in self.enis.values()}
        free = (str(one) for one in islice(of_subnet.cidr, 4, of_subnet.cidr.num_addresses - 1))  # the first four are AWS's
        address = next(one for one in free if one not in taken)
    return create_network_interface(self, subnet, address, *arguments, **options)


def get_console_output_of_host(self: Any) -> ActionResult:
    """Of an instance that is a host of a fleet (ci/fleet); nothing while that has not booted."""
    fleet = os.environ.get("ORDERFLOW_FLEET")
    if not fleet:
        return get_console_output(self)
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    name = next((tag["value"] for tag in instance.get_tags() if tag["key"] == "Name"), "")
    log = Path(fleet, "hosts", name.removeprefix("orderflow-"), "console.log")
    answer: dict[str, Any] = {"InstanceId": instance.id, "Timestamp": utcnow()}
    if name and log.is_file():
        answer["Output"] = Base64EncodedString.from_raw_string(log.read_text(errors="replace")[-CONSOLE_BYTES:])
    return ActionResult(answer)


def dispatch_alone(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """What moto keeps bears no two requests at once, and Terraform makes ten: one that fails halfway is repeated by its client, and
    finds what it has made itself."""
    with one_at_a_time:
        return dispatch(self, environ, start_response)


Statement.is_action_permitted = is_action_permitted_behind_tls
Route53._get_bool_param = get_bool_param_of_zone
Instance.__init__ = init_instance_with_interface
NetworkInterfaceBackend.create_network_interface = create_network_interface_in_subnet
General.get_console_output = get_console_output_of_host
DomainDispatcherApplication.__call__ = dispatch_alone

if __name__ == "__main__":
    sys.exit(main())
