use std::fs;
use std::process::Command;

use crate::call::orderflow;

#[test]
fn each_shell_is_told_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = orderflow(&format!("completions {shell}")).end().with_status(0).stdout;
        for command in ["trace", "audit", "cluster"] {
            assert!(completions.contains(command), "{shell}: {command}");
        }
    }
    orderflow("completions cmd").end().with_status(2);
}

#[test]
fn bash_takes_the_completions_and_completes_a_command() {
    let completions = orderflow("completions bash").end().with_status(0).stdout;
    let ask = "COMP_WORDS=(orderflow tra); COMP_CWORD=1; _orderflow orderflow tra orderflow; echo ${COMPREPLY[@]}";
    let ended = Command::new("bash").args(["-c", &format!("{completions}\n{ask}")]).output().unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "trace\n", "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn every_command_has_a_page_with_its_example() {
    let ended = orderflow("man pages/man1").end().with_status(0);
    let page = |name: &str| fs::read_to_string(ended.path(&format!("pages/man1/{name}.1"))).unwrap();
    for (name, text) in [
        ("orderflow", "orderflow run"),
        ("orderflow-trace", "ORDER_ID"),
        ("orderflow-cluster-up", "orderflow cluster up"),
    ] {
        assert!(page(name).contains(".TH") && page(name).contains(text), "{name}: {}", page(name));
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let ended = orderflow("man taken/man1").file("taken", "a file").end().with_status(1);
    assert!(ended.stderr.starts_with("error: taken/man1: "), "{}", ended.stderr);
}
