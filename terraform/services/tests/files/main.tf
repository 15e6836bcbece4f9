# Files that the tests of this folder name, below .terraform, which git ignores. For tests only.

locals {
  folder   = ".terraform/tests"
  topology = jsondecode(file("../../topology.json"))

  # What a new service costs: an entry, and its dead letters.
  with_one_more = {
    topics = merge(local.topology.topics, {
      refund_result                               = { partitions = 6, replication = 3, retention_ms = 604800000, max_message_bytes = 1048588 }
      "refund_handler.payment_result.dead_letter" = { partitions = 1, replication = 3, retention_ms = 1209600000, max_message_bytes = 2097152 }
      "refund_handler.refund_result.dead_letter"  = { partitions = 1, replication = 3, retention_ms = 1209600000, max_message_bytes = 2097152 }
    })
    services = merge(local.topology.services, {
      refund_handler = {
        system = "shop"
        host   = "lambda"
        consumes = [
          { topic = "payment_result", group = null, dead_letter = "refund_handler.payment_result.dead_letter", batch_records = 50 },
          { topic = "refund_result", group = "refunds", dead_letter = "refund_handler.refund_result.dead_letter", batch_records = 7 },
        ]
        produces   = ["refund_result"]
        retry      = { backoff_min_ms = 100, backoff_max_ms = 30000, stuck_after_attempts = 5 }
        memory_mib = 256
        timeout_s  = 60
        settings   = { refund_percent = 50 }
      }
      # No function: it runs elsewhere.
      archive = {
        system     = "shop"
        host       = "worker"
        consumes   = []
        produces   = []
        retry      = null
        memory_mib = 128
        timeout_s  = 30
        settings   = {}
      }
    })
  }

  files = merge(
    { for name in concat(["hello_world"], keys(local.with_one_more.services)) : "zips/${name}.zip" => "the zip of ${name}" },
    {
      "with_one_more.json"       = jsonencode(local.with_one_more)
      "ca.pem"                   = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
      "credentials.json"         = jsonencode({ kafka_passwords_version = 3, kafka_passwords = { for name in keys(local.with_one_more.services) : name => "password-of-${name}" } })
      "credentials-too-few.json" = jsonencode({ kafka_passwords_version = 3, kafka_passwords = { order_generator = "password-of-order_generator" } })
      "credentials-empty.json"   = jsonencode({ kafka_passwords_version = 3, kafka_passwords = { for name in keys(local.with_one_more.services) : name => "" } })
      "credentials-odd.json"     = jsonencode({ kafka_passwords_version = 1.5, kafka_passwords = { for name in keys(local.with_one_more.services) : name => "password-of-${name}" } })
    },
  )
}

resource "terraform_data" "file" {
  for_each = local.files

  triggers_replace = each.value

  provisioner "local-exec" {
    command     = "mkdir -p \"$(dirname \"$FILE\")\" && printf %s \"$TEXT\" >\"$FILE\""
    environment = { FILE = "${local.folder}/${each.key}", TEXT = each.value }
    quiet       = true
  }
}

output "folder" {
  value      = local.folder
  depends_on = [terraform_data.file]
}
