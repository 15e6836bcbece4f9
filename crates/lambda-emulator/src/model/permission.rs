use serde::Deserialize;
use serde_json::{Value, json};

use super::refuse;
use crate::AwsError;

/// The body of `AddPermission`. It is kept, and no right is checked here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AddPermission {
    pub(crate) statement_id: String,
    action: String,
    principal: String,
    #[serde(default)]
    source_arn: Option<String>,
    #[serde(default)]
    source_account: Option<String>,
    #[serde(default)]
    event_source_token: Option<String>,
    #[serde(default, rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
}

impl AddPermission {
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let id = &self.statement_id;
        if !(1..=100).contains(&id.len()) || !id.chars().all(is_allowed) {
            return refuse(format!("StatementId: found {id:?}, allowed 1 to 100 of A-Z a-z 0-9 - _"));
        }
        if self.action != "*" && !self.action.starts_with("lambda:") {
            return refuse(format!("Action: found {:?}, allowed lambda:ACTION", self.action));
        }
        Ok(())
    }

    /// The statement of the function's policy, as AWS words it.
    pub(crate) fn statement(&self, function_arn: &str) -> Value {
        let principal = &self.principal;
        let principal = if principal == "*" {
            json!("*")
        } else if principal.starts_with("arn:") {
            json!({"AWS": principal})
        } else if principal.bytes().all(|byte| byte.is_ascii_digit()) {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        } else {
            json!({"Service": principal})
        };
        let mut statement = json!({"Sid": self.statement_id, "Effect": "Allow", "Principal": principal, "Action": self.action,
            "Resource": function_arn});
        for (operator, key, value) in [
            ("StringEquals", "AWS:SourceAccount", &self.source_account),
            ("StringEquals", "lambda:EventSourceToken", &self.event_source_token),
            ("StringEquals", "aws:PrincipalOrgID", &self.principal_org_id),
            ("ArnLike", "AWS:SourceArn", &self.source_arn),
        ] {
            if let Some(value) = value {
                statement["Condition"][operator][key] = json!(value);
            }
        }
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_a_service_an_account_or_a_role_as_aws_does() {
        for (principal, expected) in [
            ("scheduler.amazonaws.com", json!({"Service": "scheduler.amazonaws.com"})),
            ("123456789012", json!({"AWS": "arn:aws:iam::123456789012:root"})),
            ("arn:aws:iam::123456789012:role/r", json!({"AWS": "arn:aws:iam::123456789012:role/r"})),
            ("*", json!("*")),
        ] {
            let body = json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": principal, "SourceArn": "arn:x"});
            let body: AddPermission = serde_json::from_value(body).unwrap();
            assert_eq!(body.check(), Ok(()));
            let statement = body.statement("arn:f");
            assert_eq!((&statement["Principal"], &statement["Resource"]), (&expected, &json!("arn:f")));
            assert_eq!(statement["Condition"], json!({"ArnLike": {"AWS:SourceArn": "arn:x"}}));
        }
    }
}
