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

variable "availability_zones" {
  description = "The three zones of the cluster; null takes the first three of the region."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null ? true : length(toset(var.availability_zones)) == 3 && length(var.availability_zones) == 3
    error_message = "availability_zones has to name three different zones, or be null: the cluster survives the loss of one of three."
  }

  validation {
    condition     = alltrue([for zone in coalesce(var.availability_zones, []) : startswith(zone, var.region)])
    error_message = "availability_zones has to name zones of ${var.region}, such as \"${var.region}a\"."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC, /16 to /18; each zone's subnet gets a 256th of them."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 0, 0)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr && tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 18, false)
    error_message = "vpc_cidr is \"${var.vpc_cidr}\": give the first address of an IPv4 network and a length of 16 to 18, such as \"10.0.0.0/16\"."
  }
}

variable "domain" {
  description = "Private domain of the hosts: brokers are kafka-1.DOMAIN to kafka-3.DOMAIN, and so in their certificates."
  type        = string
  default     = "orderflow.internal"
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.domain))
    error_message = "domain is \"${var.domain}\": give lower-case labels joined by dots, such as \"orderflow.internal\"."
  }
}

variable "ssh_cidrs" {
  description = "Who may reach port 22 of the hosts. Anywhere by default, with a warning: narrow it to your own address."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr && can(cidrnetmask(cidr)), false)])
    error_message = "ssh_cidrs has to list IPv4 networks by their first address, such as \"203.0.113.7/32\" for one address or \"203.0.113.0/24\"."
  }
}

variable "allowed_cidrs" {
  description = "Who may open the console's pages, Control Center (9021) and Grafana (3000). Nobody by default."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr && can(cidrnetmask(cidr)), false)])
    error_message = "allowed_cidrs has to list IPv4 networks by their first address, such as \"203.0.113.7/32\" for one address or \"203.0.113.0/24\"."
  }

  validation {
    condition     = !contains(var.allowed_cidrs, "0.0.0.0/0")
    error_message = "allowed_cidrs holds 0.0.0.0/0: the console's pages are for known addresses only. Name yours, or open an SSH tunnel instead."
  }
}

variable "ssh_public_key" {
  description = "Public key that opens every host, the text of a file such as ~/.ssh/id_ed25519.pub."
  type        = string

  validation {
    condition     = can(regex("^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( .*)?\\s*$", var.ssh_public_key))
    error_message = "ssh_public_key has to be one line of an OpenSSH public key, \"ssh-ed25519 AAAA...\" or \"ssh-rsa AAAA...\": what `ssh-keygen -t ed25519` writes to the file that ends in .pub."
  }
}

variable "instance_type" {
  description = "Size of the ZooKeeper hosts and brokers; heaps are set for 1 GiB."
  type        = string
  default     = "t2.micro"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type is \"${var.instance_type}\": give a size such as \"t2.micro\"."
  }
}

variable "volume_gib" {
  description = "Disk of each ZooKeeper host and broker, GiB."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 1024 && floor(var.volume_gib) == var.volume_gib
    error_message = "volume_gib is ${var.volume_gib}: give whole GiB, 8 (Debian's image) to 1024."
  }
}

variable "console_instance_type" {
  description = "Size of the console host. Control Center needs 8 GiB; without it t3.small serves."
  type        = string
  default     = "t3.large"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.console_instance_type))
    error_message = "console_instance_type is \"${var.console_instance_type}\": give a size such as \"t3.large\"."
  }
}

variable "console_volume_gib" {
  description = "Disk of the console host, GiB; Control Center 2 asks for 200."
  type        = number
  default     = 32
  nullable    = false

  validation {
    condition     = var.console_volume_gib >= 8 && var.console_volume_gib <= 1024 && floor(var.console_volume_gib) == var.console_volume_gib
    error_message = "console_volume_gib is ${var.console_volume_gib}: give whole GiB, 8 (Debian's image) to 1024."
  }
}

variable "topology_file" {
  description = "The topology; a path is taken from this folder."
  type        = string
  default     = "../../topology.json"
  nullable    = false

  validation {
    condition     = can(keys(jsondecode(file(var.topology_file)).services))
    error_message = "topology_file is \"${var.topology_file}\", which is no JSON file with services: name one that `orderflow topology check` accepts."
  }
}
