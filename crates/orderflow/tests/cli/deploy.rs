use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::call::orderflow;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A folder with the settings of a deployment that has made nothing yet, as they were before there was more than the shop.
fn begun() -> (TempDir, PathBuf) {
    begun_with(r#""hours": 4"#)
}

fn begun_with(more: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let settings =
        format!(r#"{{"account": "000000000000", "region": "us-east-1", "ssh_from": ["203.0.113.7/32"], {more}}}"#);
    fs::write(state.join("deployment.json"), settings).unwrap();
    (folder, state)
}

#[track_caller]
fn refused(arguments: &str, status: i32, words: &str) {
    // Without a program of any kind: nothing of an account may be asked for.
    let ended = orderflow(arguments).env("PATH", "/nonexistent").end().with_status(status);
    assert!(ended.stderr.contains(words) || ended.stdout.contains(words), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn what_does_not_serve_is_told_before_anything_is_asked() {
    let elsewhere = TempDir::new().unwrap();
    let state = elsewhere.path().join("state");
    let (state, repository) = (state.display(), format!("--source {REPOSITORY}"));
    for (arguments, status, words) in [
        ("deploy --yes", 2, "there is no terraform/cluster: name the repository with --source"),
        ("deploy --ssh-from home", 2, "allowed 203.0.113.7, 203.0.113.0/24 or anywhere"),
        ("deploy --hours 0", 2, "allowed 1 to 168 hours, or `never`"),
        (
            "deploy --from nowhere",
            2,
            "possible values: check, package, cluster, host, inventory, ssh, ansible, services, smoke-test, summary",
        ),
        (
            "deploy food --only services",
            2,
            "services is no stage of a deployment of food; its stages are check, package, host, inventory, ssh, ansible, smoke-test, summary",
        ),
        ("deploy --from host", 2, "host is no stage of a deployment of shop"),
        ("deploy food --hours 4", 2, "does not stop by itself: its host costs until `orderflow destroy food` ends it"),
        ("deploy saga", 2, "possible values: shop, food"),
        ("deploy food --yes", 2, "there is no terraform/food: name the repository with --source"),
        (&format!("deploy --state {state} {repository}"), 2, "nobody can be asked here: add --yes"),
        (&format!("deploy --state {state} {repository} --yes"), 1, "7 programs are missing"),
        (
            &format!("deploy --state {state} {repository} --from ansible"),
            2,
            "there is no deployment: begin with the first stage",
        ),
        (&format!("verify --state {state}"), 2, "there is no deployment: `orderflow deploy` makes one"),
        (&format!("destroy --state {state}"), 1, "install the AWS CLI"),
    ] {
        refused(arguments, status, words);
    }
    assert!(!elsewhere.path().join("state").exists(), "nothing was made");
}

#[test]
fn the_folder_of_another_systems_deployment_is_left_alone() {
    let (_shop, of_shop) = begun();
    let (_food, of_food) = begun_with(r#""hours": null, "system": "food""#);
    let (of_shop, of_food) = (of_shop.display().to_string(), of_food.display().to_string());
    let of_both = format!("--source {REPOSITORY} --only summary");
    for (arguments, folder, other, found) in [
        (format!("deploy {of_both}"), &of_food, " food", "food"),
        ("verify".to_owned(), &of_food, " food", "food"),
        ("destroy --yes".to_owned(), &of_food, " food", "food"),
        (format!("deploy food {of_both}"), &of_shop, "", "shop"),
        ("destroy food --yes".to_owned(), &of_shop, "", "shop"),
    ] {
        let words = format!("{folder} holds a deployment of {found}: `orderflow deploy{other}` goes on with it");
        refused(&format!("{arguments} --state {folder}"), 2, &words);
    }
}

#[test]
fn one_command_at_a_time_works_on_a_deployment() {
    let (_folder, state) = begun();
    let lock = fs::File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    for command in ["verify", "destroy --yes"] {
        refused(&format!("{command} --state {}", state.display()), 1, "another command is at work on this deployment");
    }
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    refused(&format!("verify --state {}", folder.path().display()), 2, "there is no deployment");
    let (_folder, state) = begun();
    fs::write(state.join("deployment.json"), r#"{"account": 1}"#).unwrap();
    refused(
        &format!("verify --state {}", state.display()),
        1,
        "deployment.json: invalid type: integer `1`, expected a string",
    );
}

#[test]
fn a_stage_that_fails_is_told_with_what_stands_and_what_goes_on_and_as_json() {
    let (folder, state) = begun();
    let path = aws_of("000000000000", &folder);
    let command = format!("deploy --state {} --source {REPOSITORY} --only services --format json", state.display());
    let ended = orderflow(&command).env("PATH", &path).end().with_status(1);
    let line: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&line["stage"], &line["status"]), (&"services".into(), &"failed".into()));
    assert!(line["text"].as_str().unwrap().contains("terraform/cluster has no output `cluster`"), "{line}");
    for words in ["nothing of AWS is recorded; logs: ".to_owned(), format!("to go on: orderflow {command}\n")] {
        assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    }
}

#[test]
fn a_stage_of_the_food_orders_names_their_command_and_their_root() {
    let (folder, state) = begun_with(r#""hours": null, "system": "food""#);
    let path = aws_of("000000000000", &folder);
    let command = format!("deploy food --state {} --source {REPOSITORY} --only inventory", state.display());
    let ended = orderflow(&command).env("PATH", &path).end().with_status(1);
    let words = "terraform/food has made nothing: `orderflow deploy food --from host`";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
}

#[test]
fn another_account_than_the_deployments_is_refused_whatever_stage_it_begins_with() {
    let (folder, state) = begun();
    let path = aws_of("111122223333", &folder);
    for command in [format!("deploy --from cluster --yes --source {REPOSITORY}"), "destroy --yes".to_owned()] {
        let ended =
            orderflow(&format!("{command} --state {}", state.display())).env("PATH", &path).end().with_status(2);
        assert!(ended.stderr.contains("111122223333"), "{}", ended.stderr);
    }
}

/// A state with a network and a host, and another host there, whose start nobody has waited for.
fn with_a_forgotten_host(root: &str, system: &str) -> (TempDir, PathBuf) {
    let (folder, state) = begun_with(&format!(r#""hours": null, "system": "{system}""#));
    let root = state.join("terraform").join(root);
    fs::create_dir_all(&root).unwrap();
    let thing =
        |kind: &str, id: &str| json!({"mode": "managed", "type": kind, "instances": [{"attributes": {"id": id}}]});
    let recorded = json!({"version": 4, "resources": [thing("aws_vpc", "vpc-1"), thing("aws_instance", "i-known")]});
    fs::write(root.join("terraform.tfstate"), recorded.to_string()).unwrap();
    // Its public half is made where it is missing.
    fs::create_dir(state.join("ssh")).unwrap();
    fs::write(state.join("ssh/key.pub"), "ssh-ed25519 AAAA test").unwrap();
    let aws = format!(
        "case \"$*\" in
         sts*) echo '{caller}' ;;
         *describe-instances*) if [ -e ended ]; then echo '{known}'; else echo '{both}'; fi ;;
         *terminate-instances*) : >ended; echo '{{}}' ;;
         *) echo '{{}}' ;;
         esac",
        caller = caller("000000000000"),
        known = hosts(&["i-known"]),
        both = hosts(&["i-known", "i-forgotten"]),
    );
    program("aws", &aws, &folder);
    program("terraform", "case \"$*\" in *init*) ;; *) exit 1 ;; esac", &folder);
    (folder, state)
}

#[test]
fn a_host_in_its_network_that_no_state_knows_is_ended_before_terraform_goes_on() {
    for (command, root, system, project, what) in [
        (format!("deploy --only cluster --source {REPOSITORY}"), "cluster", "shop", "orderflow", "apply"),
        (format!("deploy food --only host --source {REPOSITORY}"), "food", "food", "orderflow-food", "apply"),
        ("destroy --yes".into(), "cluster", "shop", "orderflow", "destroy"),
        ("destroy food --yes".into(), "food", "food", "orderflow-food", "destroy"),
    ] {
        let (folder, state) = with_a_forgotten_host(root, system);
        let command = format!("{command} --state {}", state.display());
        let ended = orderflow(&command).env("PATH", &path_of(&folder)).end().with_status(1);
        let told = "ends hosts of a start that nobody has waited for: i-forgotten\n";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
        let end = "terminate-instances --instance-ids i-forgotten --region us-east-1 ";
        let order = ["describe-instances", end, "describe-instances", what];
        let found = order.iter().try_fold(calls.as_str(), |rest, word| Some(rest.split_once(word)?.1));
        assert!(found.is_some() && calls.matches("terminate-instances").count() == 1, "{calls}");
        let looked = format!("Name=vpc-id,Values=vpc-1 Name=tag:Project,Values={project} Name=tag:Root,Values={root} ");
        assert!(calls.contains(&looked), "{calls}");
    }
}

#[test]
fn such_a_host_is_left_alone_by_a_plan_and_named_where_hosts_have_been_in_use() {
    let (folder, state) = with_a_forgotten_host("cluster", "shop");
    let deploy = |more: &str| {
        let command = format!("deploy --only cluster --source {REPOSITORY} --state {}{more}", state.display());
        orderflow(&command).env("PATH", &path_of(&folder)).end().with_status(1)
    };
    deploy(" --plan");
    fs::write(state.join("inventory.ini"), "").unwrap();
    let refused = deploy("");
    let told = "terraform.tfstate does not know i-forgotten: put the newest copy of that file back";
    assert!(refused.stdout.contains(told), "{}", refused.stdout);
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
    assert!(calls.contains("terraform") && !calls.contains("terminate-instances"), "{calls}");
}

/// EC2's list of hosts.
fn hosts(ids: &[&str]) -> Value {
    let instances: Vec<Value> = ids.iter().map(|id| json!({"InstanceId": id, "State": {"Name": "running"}})).collect();
    json!({"Reservations": [{"Instances": instances}]})
}

/// A path with an `aws` that knows no more than whose account it is.
fn aws_of(account: &str, folder: &TempDir) -> String {
    program("aws", &format!("echo '{}'", caller(account)), folder);
    path_of(folder)
}

/// What AWS says of who asks.
fn caller(account: &str) -> Value {
    json!({"Account": account, "Arn": format!("arn:aws:iam::{account}:user/test")})
}

/// A program of this name; how it is called is noted down in the file `calls`.
fn program(name: &str, script: &str, folder: &TempDir) {
    let (file, calls) = (folder.path().join(name), folder.path().join("calls"));
    fs::write(&file, format!("#!/bin/sh\necho {name} \"$@\" >>{}\n{script}\n", calls.display())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A path with the programs of this folder before all others.
fn path_of(folder: &TempDir) -> String {
    format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap())
}
