variable "region" {
  description = "AWS region of everything."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region is \"${var.region}\": give a region such as \"us-east-1\", not a zone of it such as \"us-east-1a\"."
  }
}

variable "availability_zone" {
  description = "The zone of the host; null takes the first of the region. Another one where AWS has no host of this size left."
  type        = string
  default     = null

  validation {
    condition     = var.availability_zone == null ? true : can(regex("^${var.region}[a-z]$", var.availability_zone))
    error_message = "availability_zone has to name a zone of ${var.region}, such as \"${var.region}a\"."
  }
}

variable "ssh_cidrs" {
  description = "Who may reach port 22 of the host. Anywhere by default, with a warning: narrow it to your own address."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr && can(cidrnetmask(cidr)), false)])
    error_message = "ssh_cidrs has to list IPv4 networks by their first address, such as \"203.0.113.7/32\" for one address or \"203.0.113.0/24\"."
  }
}

variable "ssh_public_key" {
  description = "Public key that opens the host, the text of a file such as ~/.ssh/id_ed25519.pub."
  type        = string

  validation {
    condition     = can(regex("^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( .*)?\\s*$", var.ssh_public_key))
    error_message = "ssh_public_key has to be one line of an OpenSSH public key, \"ssh-ed25519 AAAA...\" or \"ssh-rsa AAAA...\": what `ssh-keygen -t ed25519` writes to the file that ends in .pub."
  }
}

variable "instance_type" {
  description = "Size of the host; heaps and buffers are set for 2 GiB (ansible/group_vars/food.yml)."
  type        = string
  default     = "t2.small"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type is \"${var.instance_type}\": give a size such as \"t2.small\"."
  }
}

variable "volume_gib" {
  description = "Disk of the host, GiB. Kafka keeps orders for the days that topology.json says, PostgreSQL for ever."
  type        = number
  default     = 32
  nullable    = false

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 1024 && floor(var.volume_gib) == var.volume_gib
    error_message = "volume_gib is ${var.volume_gib}: give whole GiB, 8 (Debian's image) to 1024."
  }
}
