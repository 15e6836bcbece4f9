output "hosts" {
  description = "Hosts by name: what an inventory needs."
  value = { for name, host in var.hosts : name => {
    role            = host.role
    number          = host.number
    zone            = aws_instance.this[name].availability_zone
    instance_id     = aws_instance.this[name].id
    name            = aws_route53_record.this[name].name
    private_address = aws_instance.this[name].private_ip
    public_address  = aws_instance.this[name].public_ip
  } }
}

output "instances" {
  description = "Instances by name."
  value       = aws_instance.this
}

output "key_pair" {
  description = "The key pair that opens every host."
  value       = aws_key_pair.this
}
