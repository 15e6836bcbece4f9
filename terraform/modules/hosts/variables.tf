variable "hosts" {
  description = "Hosts by name: role, number within the role, subnet, size and disk."
  type = map(object({
    role          = string
    number        = number
    subnet        = object({ id = string, cidr_block = string })
    instance_type = string
    volume_gib    = number
  }))
}

variable "security_group_ids" {
  description = "Security groups of the hosts: `ssh`, and one for each role."
  type        = map(string)
}

variable "private_zone" {
  description = "The private zone that names the hosts."
  type        = object({ zone_id = string, name = string })
}

variable "key_name" {
  description = "What the key pair is called: one of a name in an account's region."
  type        = string
}

variable "ssh_public_key" {
  description = "Public key that opens every host, as in ~/.ssh/id_ed25519.pub."
  type        = string
}
