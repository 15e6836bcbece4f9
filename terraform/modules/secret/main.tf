# A secret whose text is in neither state nor plan. Nobody sees a change of it, so its version says when to write it anew.

resource "aws_secretsmanager_secret" "this" {
  name        = var.name
  description = var.description

  # A deleted secret keeps its name for a week or more otherwise, and the next apply would fail.
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = var.text
  secret_string_wo_version = var.text_version
}
