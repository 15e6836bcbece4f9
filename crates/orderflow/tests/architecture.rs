//! The architecture's invariants, read from the workspace itself: manifests, sources, settings, the top level.
//!
//! ARCHITECTURE.md says why each holds. A crate that is new takes its place in [`ROLES`] first.
#![cfg(test)] // so that clippy takes the helpers for tests, too

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use topology::{System, Topology};

/// What a crate is. Programs build on adapters, adapters on pure crates, never the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// What happens: values in, values out.
    Pure,
    /// A pure crate that is one of the systems; no adapter knows it.
    System,
    /// How it travels.
    Adapter,
    /// What runs.
    Program,
}

/// Every crate that there is or will be.
const ROLES: [(&str, Role); 17] = [
    ("events", Role::Pure),
    ("topology", Role::Pure),
    ("messaging", Role::Pure),
    ("shop", Role::System),
    ("order-saga", Role::System),
    ("food-orders", Role::System),
    ("kafka-transport", Role::Adapter),
    ("postgres-store", Role::Adapter),
    ("lambda-host", Role::Adapter),
    ("otlp", Role::Adapter),
    ("simulation", Role::Adapter),
    ("kafka-cluster", Role::Adapter),
    ("postgres-server", Role::Adapter),
    ("nursery", Role::Adapter),
    ("orderflow", Role::Program),
    ("shop-functions", Role::Program),
    ("lambda-emulator", Role::Program),
];

/// What pure crates may depend on beside each other: nothing here does I/O.
const PURE_DEPENDENCIES: [&str; 6] = ["serde", "serde_json", "thiserror", "time", "uuid", "xxhash-rust"];

/// Clients of the outside, each with the crates that may name it.
const CLIENTS: [(&str, &[&str]); 11] = [
    ("rdkafka", &["kafka-transport"]),
    ("rdkafka-sys", &["kafka-transport"]),
    ("lambda_runtime", &["lambda-host", "shop-functions"]),
    ("aws-sdk-secretsmanager", &["shop-functions"]),
    ("ureq", &["lambda-emulator", "orderflow", "otlp"]),
    ("postgres", &["postgres-store"]),
    ("tokio-postgres", &["postgres-store"]),
    ("deadpool-postgres", &["postgres-store"]),
    ("sqlx", &["postgres-store"]),
    ("diesel", &["postgres-store"]),
    ("rusqlite", &["postgres-store"]),
];

/// What a pure crate's `clippy.toml` must at least ban: time, waiting, randomness, the environment, files, random order.
const BANS: [&str; 12] = [
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "std::thread::sleep",
    "std::env::var",
    "std::fs::read",
    "std::fs::write",
    "std::fs::File",
    "uuid::Uuid::new_v4",
    "uuid::Uuid::now_v7",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
];

/// The lints behind those bans, and the groups they are in: whoever names one in a source can lift a ban.
const LIFTING: [&str; 4] = ["clippy::disallowed", "clippy::all", "clippy::style", "(warnings"];

/// Sources that lift one of those bans at one place, and say there why the result does not depend on it.
const LIFTED_BANS: [&str; 2] = ["crates/messaging/src/audit/orders.rs", "crates/messaging/src/store/memory.rs"];

/// What may stand at the top: what the owner's card (C04) names, then what tools and readers look for there.
const TOP_LEVEL: [&str; 26] = [
    // C04
    "flake.nix",
    "flake.lock",
    "Cargo.toml",
    "crates",
    "nix",
    "terraform",
    "ansible",
    "ci",
    "README.md",
    // tools and readers
    "topology.json",
    "ARCHITECTURE.md",
    "docs",
    "Cargo.lock",
    "LICENSE",
    "rust-toolchain.toml",
    "clippy.toml",
    "rustfmt.toml",
    "deny.toml",
    ".gitignore",
    ".ci",
    ".github",
    ".config",
    ".cargo",
    ".env.example",
    "compose.yaml",
    "compose.aws.yaml",
];

/// How the variables begin that our programs read; others read those of PostgreSQL and AWS.
const VARIABLES: [&str; 11] = [
    "KAFKA_",
    "DATABASE_",
    "ORDER_RATE",
    "ORDERFLOW_TOKEN",
    "RUST_LOG",
    "OTEL_",
    "XDG_",
    "JAVA_HOME",
    "ANSWER_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_LOG_LEVEL",
];

/// Begins like one of them, and is AWS's word in a mapping.
const NO_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";

#[test]
fn every_crate_has_a_role_in_the_architecture() {
    let unknown: Vec<_> = crates().into_iter().filter(|a_crate| role_of(&a_crate.name).is_none()).collect();
    assert!(unknown.is_empty(), "give each a role in ROLES: {:?}", names(&unknown));
}

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    let mut wrong = Vec::new();
    for a_crate in crates().iter().filter(|a_crate| is_pure(&a_crate.name)) {
        for dependency in a_crate.shipped() {
            // Each direct dependency of each pure crate: so no chain of them leads out either.
            if !is_pure(dependency) && !PURE_DEPENDENCIES.contains(&dependency) {
                wrong.push(format!("{} -> {dependency}", a_crate.name));
            }
        }
        if a_crate.has_build_script {
            wrong.push(format!("{} has a build script", a_crate.name));
        }
    }
    assert!(wrong.is_empty(), "pure crates depend on {PURE_DEPENDENCIES:?} and each other only: {wrong:#?}");
}

#[test]
fn programs_build_on_adapters_and_adapters_on_pure_crates_never_the_other_way() {
    let mut wrong = Vec::new();
    for a_crate in crates() {
        let Some(role) = role_of(&a_crate.name) else { continue };
        for dependency in a_crate.shipped() {
            let Some(other) = role_of(dependency) else { continue };
            let allowed = match role {
                Role::Pure | Role::System => other == Role::Pure,
                Role::Adapter => matches!(other, Role::Pure | Role::Adapter), // no system: an adapter carries any of them
                Role::Program => true,
            };
            if !allowed {
                wrong.push(format!("{} ({role:?}) -> {dependency} ({other:?})", a_crate.name));
            }
        }
    }
    assert!(wrong.is_empty(), "against the arrows of ARCHITECTURE.md: {wrong:#?}");
}

#[test]
fn each_client_of_the_outside_is_named_by_its_adapter_alone() {
    let mut wrong = Vec::new();
    for a_crate in crates() {
        for (client, may_name_it) in CLIENTS {
            if a_crate.names(client) && !may_name_it.contains(&a_crate.name.as_str()) {
                wrong.push(format!("{} -> {client}, which only {may_name_it:?} may name", a_crate.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let without: Vec<_> = crates()
        .into_iter()
        .filter(|a_crate| !read(&a_crate.folder.join("Cargo.toml")).contains("[lints]\nworkspace = true"))
        .collect();
    assert!(without.is_empty(), "add `[lints] workspace = true` to {:?}", names(&without));
}

#[test]
fn pure_crates_and_the_simulation_ban_time_randomness_environment_and_files_alike() {
    let root = read(&workspace().join("clippy.toml"));
    let pure: Vec<Crate> = crates().into_iter().filter(|a_crate| keeps_the_bans(&a_crate.name)).collect();
    let [first, ..] = &pure[..] else { panic!("no pure crate found") };
    let bans = read(&first.folder.join("clippy.toml"));
    for a_crate in &pure {
        let path = a_crate.folder.join("clippy.toml");
        assert!(read(&path) == bans, "{} differs from crates/{}/clippy.toml", path.display(), first.name);
    }
    for ban in BANS {
        assert!(bans.contains(&format!("path = \"{ban}\"")), "crates/{}/clippy.toml does not ban {ban}", first.name);
    }
    for setting in root.lines() {
        // A crate's clippy.toml replaces the root's.
        assert!(bans.lines().any(|line| line == setting), "crates/{}/clippy.toml lacks `{setting}`", first.name);
    }
}

#[test]
fn no_pure_source_lifts_a_ban_except_where_the_architecture_says() {
    let lifting: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| source.folder == "src" && keeps_the_bans(&source.crate_name))
        .filter(|source| LIFTING.iter().any(|lint| source.code.contains(lint)))
        .map(|source| source.path)
        .collect();
    let known = LIFTED_BANS.map(str::to_owned).into();
    assert_eq!(lifting, known, "left: sources that lift a ban; right: those that LIFTED_BANS lists");
}

#[test]
fn unsafe_code_stands_in_two_modules_of_kafka_transport_alone() {
    let sources = sources();
    let with = sources.iter().filter(|source| words(&source.code).any(|(word, _)| word == "unsafe"));
    let paths: BTreeSet<&str> = with.map(|source| source.path.as_str()).collect();
    let at_home = ["crates/kafka-transport/src/batch_queue.rs", "crates/kafka-transport/src/bootstrap.rs"];
    assert_eq!(paths, BTreeSet::from(at_home));
}

#[test]
fn every_queue_in_the_code_has_a_limit() {
    let mut without_limit = Vec::new();
    for source in sources() {
        for (word, behind) in words(&source.code) {
            let has_no_limit = match word {
                "unbounded" | "unbounded_channel" | "UnboundedSender" | "UnboundedReceiver" => true,
                // `std::sync::mpsc::channel` takes no size; those that have a limit take it as an argument.
                "channel" => behind.starts_with("()") || behind.starts_with("::<") && takes_nothing(behind),
                _ => false,
            };
            if has_no_limit {
                without_limit.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert!(without_limit.is_empty(), "use a queue with a size, such as `mpsc::sync_channel`: {without_limit:#?}");
}

#[test]
fn the_top_level_holds_what_is_meant_to_stand_there_only() {
    let Some(files) = tracked_files() else {
        eprintln!("not applicable: {} is no git checkout, or git is missing", workspace().display());
        return;
    };
    let stray: BTreeSet<&str> =
        files.iter().filter_map(|file| file.split('/').next()).filter(|entry| !TOP_LEVEL.contains(entry)).collect();
    assert!(stray.is_empty(), "move them into a folder, or say in TOP_LEVEL why they must stand there: {stray:?}");
}

#[test]
fn no_file_names_a_path_of_a_developers_machine() {
    let Some(files) = tracked_files() else {
        eprintln!("not applicable: {} is no git checkout, or git is missing", workspace().display());
        return;
    };
    let machine = [concat!("/work/", "main"), concat!("/work/", "shared"), concat!("/root/", ".cargo")];
    let naming: Vec<&String> = files
        .iter()
        .filter(|file| {
            // A file that is no text names nothing; one that is deleted but not yet committed neither.
            let text = fs::read_to_string(workspace().join(file)).unwrap_or_default();
            machine.iter().any(|path| text.contains(path))
        })
        .collect();
    assert!(naming.is_empty(), "they name {machine:?}: {naming:#?}");
}

#[test]
fn every_crate_opens_with_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.is_crate_root() && !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "begin each with `//! ` and what it is for: {silent:#?}");
}

#[test]
fn j04_each_service_has_unit_tests_below_it_in_its_file() {
    let topology = Topology::built_in().unwrap();
    for (system, folder) in [(System::Shop, "shop"), (System::OrderSaga, "order-saga")] {
        for service in topology.services_of(system) {
            let path = workspace().join(format!("crates/{folder}/src/{}.rs", service.name));
            assert!(read(&path).contains("#[test]"), "{}: no test", path.display());
        }
    }
}

#[test]
fn k06_the_example_of_an_environment_has_every_variable_that_is_read_and_no_other_of_ours() {
    let example = read(&workspace().join(".env.example"));
    let is_ours = |word: &&str| *word != NO_VARIABLE && VARIABLES.iter().any(|begins| word.starts_with(begins));
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let stated: BTreeSet<&str> = example
        .split(|letter: char| !letter.is_ascii() || !upper(letter as u8))
        .filter(|word| word.len() > 3)
        .filter(is_ours)
        .collect();
    let sources = sources();
    let shipped = sources.iter().filter(|source| source.folder == "src");
    let texts = shipped.flat_map(|source| source.text.split('"')); // code between two texts is no word alone
    let read: BTreeSet<&str> =
        texts.filter(|text| !text.is_empty() && text.bytes().all(upper)).filter(is_ours).collect();
    assert_eq!(stated, read, "the variables of .env.example, and those that the programs read");
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read(&workspace().join("Cargo.toml"));
    let lines: Vec<&str> = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .collect();
    assert!(!lines.is_empty(), "no [workspace.dependencies]");
    let mut silent = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_ours = line.contains("path = \"crates/");
        if line.is_empty() || line.starts_with('#') || is_ours {
            continue;
        }
        // Above the line counts too, but not where a block begins: that line heads the block.
        let above = index >= 2 && lines[index - 1].starts_with('#') && !lines[index - 2].is_empty();
        if !line.contains(" # ") && !above {
            silent.push(line);
        }
    }
    assert!(silent.is_empty(), "end each with ` # ` and the reason: {silent:#?}");
}

#[test]
fn tests_ask_no_dependency_for_features_that_programs_do_not_ask_for() {
    // Else cargo builds it, and whatever depends on it, twice: once for programs, once for tests.
    let (of_programs, of_tests) = (features("normal,build"), features("normal,build,dev"));
    let differing: Vec<_> =
        of_programs.iter().filter(|(name, features)| of_tests.get(*name) != Some(features)).collect();
    assert!(
        differing.is_empty(),
        "let Cargo.toml ask for these features for programs, too: {differing:#?}, tests have {:#?}",
        differing.iter().map(|(name, _)| of_tests.get(*name)).collect::<Vec<_>>()
    );
    assert!(of_tests.len() > of_programs.len() && of_programs.len() > 100, "{} {}", of_programs.len(), of_tests.len());
}

/// The features of each dependency, as it is built for programs and for what builds them.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--offline", "--locked", "--workspace"]);
    let output =
        cargo.args(["--edges", edges, "--prefix", "none", "--format", "{p}\t{f}"]).current_dir(workspace()).output();
    let output = output.expect("cargo tree");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let Some((name, of_it)) = line.split_once('\t') else { continue };
        features.entry(name.to_owned()).or_default().insert(of_it.trim_end_matches(" (*)").to_owned());
    }
    features
}

#[test]
fn comments_and_texts_are_no_code() {
    check_code("a // unsafe\nb", "a \nb");
    check_code("a /* x /* y */ z */ b", "a  b");
    check_code(r#"f("unsafe \" // x", 'u', '"', '\'')"#, r#"f("", '', '', '')"#);
    check_code(r##"f(r#"un"safe"#, br"x\", b"y")"##, r#"f("", "", "")"#);
    check_code("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check_code("parser.r#type", "parser.r#type");
}

#[track_caller]
fn check_code(source: &str, code: &str) {
    assert_eq!(code_of(source), code);
}

/// A crate of the workspace, as `cargo metadata` describes it.
struct Crate {
    name: String,
    folder: PathBuf,
    has_build_script: bool,
    /// Kind (`normal`, `build`, `dev`) and name.
    dependencies: Vec<(String, String)>,
}

impl Crate {
    /// What goes into the crate itself; its tests may use what they like.
    fn shipped(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|(kind, _)| kind != "dev").map(|(_, name)| name.as_str())
    }

    /// Whether its manifest names this dependency, for whatever use.
    fn names(&self, dependency: &str) -> bool {
        self.dependencies.iter().any(|(_, name)| name == dependency)
    }
}

fn names(crates: &[Crate]) -> Vec<&str> {
    crates.iter().map(|a_crate| a_crate.name.as_str()).collect()
}

fn role_of(name: &str) -> Option<Role> {
    BTreeMap::from(ROLES).get(name).copied()
}

fn is_pure(name: &str) -> bool {
    matches!(role_of(name), Some(Role::Pure | Role::System))
}

/// Pure crates, and the simulation: its time is virtual and its chance seeded.
fn keeps_the_bans(name: &str) -> bool {
    is_pure(name) || name == "simulation"
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace's folder")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn crates() -> Vec<Crate> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--no-deps", "--format-version", "1"]).current_dir(workspace());
    let output = cargo.output().expect("cargo metadata");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON from cargo metadata");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let crates: Vec<Crate> = list(&metadata["packages"])
        .iter()
        .map(|package| Crate {
            name: text(&package["name"]),
            folder: Path::new(&text(&package["manifest_path"])).parent().expect("a crate's folder").to_owned(),
            has_build_script: list(&package["targets"]).iter().any(|target| target["kind"][0] == "custom-build"),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(|dependency| {
                    (dependency["kind"].as_str().unwrap_or("normal").to_owned(), text(&dependency["name"]))
                })
                .collect(),
        })
        .collect();
    assert!(!crates.is_empty(), "cargo metadata shows no crate");
    crates
}

/// The files that git knows, from the top of the workspace; `None` where there is no checkout or no git.
fn tracked_files() -> Option<Vec<String>> {
    if !workspace().join(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(workspace()).output().ok()?;
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).expect("file names in UTF-8");
    Some(files.split_terminator('\0').map(str::to_owned).collect())
}

/// A Rust source of the workspace.
struct Source {
    /// From the top of the workspace.
    path: String,
    crate_name: String,
    /// `src`, `tests`, `benches`, ...
    folder: String,
    text: String,
    /// The text without comments and string literals.
    code: String,
}

impl Source {
    fn is_crate_root(&self) -> bool {
        self.folder == "src" && ["src/lib.rs", "src/main.rs"].iter().any(|root| self.path.ends_with(root))
    }
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![workspace().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(source(&path));
            }
        }
    }
    assert!(!sources.is_empty(), "no source found");
    sources
}

fn source(path: &Path) -> Source {
    let from_top = path.strip_prefix(workspace()).expect("a path of the workspace");
    let parts: Vec<String> = from_top.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let text = read(path);
    let code = code_of(&text);
    Source { path: parts.join("/"), crate_name: parts[1].clone(), folder: parts[2].clone(), text, code }
}

/// Rust code without comments, and with empty strings and characters.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest, &code) {
            code.push_str("\"\"");
            length
        } else if let Some(length) = character(rest) {
            code.push_str("''");
            length
        } else {
            code.push(next);
            next.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// The length of the block comment that `rest` begins with; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string literal that `rest` begins with, of whatever kind: `""`, `b""`, `r#""#`, ...
fn string(rest: &str, before: &str) -> Option<usize> {
    let within_a_word = before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    let prefix = if within_a_word { 0 } else { rest.find(|next: char| !matches!(next, 'b' | 'c' | 'r')).unwrap_or(0) };
    let is_raw = rest[..prefix].contains('r');
    let hashes = if is_raw { rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len() } else { 0 };
    let start = prefix + hashes;
    let inside = rest[start..].strip_prefix('"')?;
    let start = start + 1;
    if is_raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(inside.find(&end).map_or(rest.len(), |at| start + at + end.len()));
    }
    let mut escaped = false;
    for (at, next) in inside.char_indices() {
        match next {
            '"' if !escaped => return Some(start + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(rest.len())
}

/// The length of the character literal that `rest` begins with; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let mut chars = inside.char_indices();
    match chars.next()?.1 {
        '\\' => inside[2..].find('\'').map(|at| 1 + 2 + at + 1),
        _ => chars.next().filter(|(_, next)| *next == '\'').map(|(at, _)| 1 + at + 1),
    }
}

/// The words of a piece of code, each with what stands behind it.
fn words(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |next: char| next.is_alphanumeric() || next == '_';
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|next| !is_word(next));
        let end = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        (!word.is_empty()).then_some((word, rest))
    })
}

/// Whether a call with a type, `::<T>(...)`, has no argument.
fn takes_nothing(behind: &str) -> bool {
    let mut depth = 0;
    let end = behind.char_indices().find(|(_, next)| {
        match next {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        *next == '>' && depth == 0
    });
    end.is_some_and(|(at, _)| behind[at + 1..].starts_with("()"))
}
