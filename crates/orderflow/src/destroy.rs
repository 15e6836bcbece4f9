//! `orderflow destroy`: ends a deployment on AWS, and proves that nothing of it remains.
//!
//! What Terraform recorded goes by Terraform; what it leaves or waits for goes by the `aws` command; and a look at every type
//! of things in the region has the last word. Each stage finds what is left to do by itself, so that a destroy that
//! stopped anywhere, or a deploy that did, is gone on with by the same command.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::topology::Topology;
use serde_json::{Value, json};

use crate::deployment::{self, Deployment};
use crate::sweep::{Functions, Sweep};
use crate::{Error, Format, Status, aws, print, signals, tell};
use leftovers::{await_interfaces, delete_log_groups, empty_bucket, wait};
use recorded::Recorded;

mod leftovers; // what Terraform does not end by itself
mod recorded; // what its states have recorded

/// Destroys what is recorded, without asking.
const DESTROY: [&str; 5] = ["destroy", "-auto-approve", "-input=false", "-no-color", "-lock-timeout=2m"];

/// AWS's lists show for some seconds what is gone: so often is looked again before a thing is said to remain.
const LOOKS: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The variable's default in terraform/cluster.
const REGION: &str = "us-east-1";

/// Destroys what was deployed on AWS, and proves that nothing with our tag or name remains
///
/// Where no state says what was deployed: prints what is ours in the region, each with the command that removes it, as a
/// shell script to read first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: orderflow destroy --yes")]
pub(crate) struct Args {
    /// Does it without asking.
    #[arg(short, long)]
    yes: bool,
    /// The deployment's folder; in the home folder's .local/state/orderflow/deployment if absent.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Removes that folder, too, once nothing remains: states, logs, keys, passwords and the certificate authority.
    #[arg(long)]
    clean: bool,
    /// How it is printed; json: a line each stage, and one of what remains.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Destroys it, stage by stage, and looks at what remains.
///
/// # Errors
/// Where nobody can be asked or somebody says no, the account is not that of the deployment, or a stage fails: what it says
/// is what happened, how far it came, and what goes on with it.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let folder = args.state.clone().map_or_else(deployment::default_folder, Ok)?;
    let functions = Functions::of(topology);
    let Some(deployment) = Deployment::open(&folder)? else {
        return without_state(args, &folder, &functions);
    };
    let result = Destroy::check(args, deployment, &folder, functions).and_then(|destroy| destroy.run());
    match result {
        Ok(status) => Ok(status),
        Err(Ended::Interrupted(stage)) => {
            tell(&format!("interrupted in {stage}; this goes on: {}", again(args)));
            Ok(Status::Interrupted)
        }
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// The command that goes on with what has stopped.
fn again(args: &Args) -> String {
    let mut command = "orderflow destroy".to_owned();
    if let Some(folder) = &args.state {
        command.push_str(&format!(" --state {}", folder.display()));
    }
    if args.clean {
        command.push_str(" --clean");
    }
    command
}

/// Why it has ended before its end.
enum Ended {
    /// By the operator, in this stage.
    Interrupted(&'static str),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A destroy that was confirmed.
struct Destroy<'a> {
    args: &'a Args,
    folder: &'a Path,
    deployment: Deployment,
    /// What the states had recorded at its beginning.
    services: Recorded,
    cluster: Recorded,
    functions: Functions,
    stop: Arc<AtomicBool>,
}

impl<'a> Destroy<'a> {
    /// The account is that of the deployment, and the operator agrees.
    fn check(args: &'a Args, deployment: Deployment, folder: &'a Path, functions: Functions) -> Result<Self, Ended> {
        let recorded = |name| Recorded::read(deployment.root(name).folder()).map_err(Error::Failed);
        let (services, cluster) = (recorded("services")?, recorded("cluster")?);
        let is_empty = services.is_empty() && cluster.is_empty();
        if !args.yes && !is_empty && !io::stdin().is_terminal() {
            return Err(Error::Usage("nobody can be asked here: confirm on a terminal, or say --yes".to_owned()).into());
        }
        let region = deployment.region().to_owned();
        let caller = aws::call(&region, &["sts", "get-caller-identity"])?;
        is_of(&caller, deployment.account(), folder)?;
        if caller["Arn"].as_str().is_some_and(|arn| arn.contains(":assumed-role/orderflow-deployer/")) {
            tell(
                "check: you act by the role orderflow-deployer, which goes with the cluster: what comes after it needs \
                 credentials of your own",
            );
        }
        let before = Recorded::before(deployment.root("services").folder());
        let functions = functions.with_known(services.functions()).with_known(before.functions());
        let destroy = Self { args, folder, deployment, services, cluster, functions, stop: Arc::default() };
        destroy.done("check", &destroy.summary(), &json!({"account": caller["Account"], "region": region}))?;
        if !args.yes && !is_empty {
            tell("With them go all records, orders and logs, for good. Type yes to go on.");
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).map_err(|error| Error::Failed(format!("stdin: {error}")))?;
            if answer.trim() != "yes" {
                return Err(Error::Failed("not confirmed: nothing was destroyed".to_owned()).into());
            }
        }
        // Until here Ctrl-C ends it at once: nothing has begun.
        Ok(Self { stop: signals::stop_flag()?, ..destroy })
    }

    fn summary(&self) -> String {
        let of = |recorded: &Recorded| if recorded.is_empty() { "nothing recorded".into() } else { recorded.summary() };
        let (region, account) = (self.deployment.region(), self.deployment.account());
        format!(
            "in {region} of account {account}\n  services: {}\n  cluster: {}",
            of(&self.services),
            of(&self.cluster)
        )
    }

    fn run(self) -> Result<Status, Ended> {
        let region = self.deployment.region().to_owned();
        self.terraform("services", &self.services, "the cluster stands as it was")?;

        self.stage("interfaces", "the services are gone, the cluster stands as it was", || {
            let Some(vpc) = self.cluster.vpc() else { return Ok(("no network, so none".into(), json!({}))) };
            let count = await_interfaces(&region, vpc, &self.stop)?;
            Ok((format!("{count} of Lambda's in {vpc} are gone"), json!({"gone": count})))
        })?;

        self.stage("bucket", "the services are gone, the cluster stands without some of its zips", || {
            let Some(bucket) = self.cluster.bucket() else { return Ok(("none recorded".into(), json!({}))) };
            let count = empty_bucket(&region, bucket, &self.stop)?;
            Ok((format!("{bucket} is empty, of {count} versions"), json!({"bucket": bucket, "versions": count})))
        })?;

        self.terraform("cluster", &self.cluster, "the services are gone")?;

        self.stage("log groups", "services and cluster are gone", || {
            let deleted = delete_log_groups(&region, self.functions.known())?;
            let count = deleted.len();
            Ok((format!("{count} had come back"), json!({"deleted": deleted})))
        })?;

        let sweep = self.sweep(&region)?;
        if !sweep.is_clean() {
            self.tell_clean_is_left();
            return Ok(Status::Fails);
        }
        if self.args.clean {
            self.stage("clean", "nothing remains on AWS", || {
                fs::remove_dir_all(self.folder)
                    .map_err(|error| Error::Failed(format!("{}: {error}", self.folder.display())))?;
                let lost = "and with it the certificate authority, the keys and the passwords";
                Ok((format!("{} is gone, {lost}", self.folder.display()), json!({"folder": self.folder})))
            })?;
        }
        Ok(Status::Holds)
    }

    /// Destroys what one root has recorded.
    fn terraform(&self, name: &'static str, recorded: &Recorded, meanwhile: &str) -> Result<(), Ended> {
        self.stage(name, meanwhile, || {
            if recorded.is_empty() {
                return Ok(("nothing recorded, so skipped".into(), json!({"skipped": true})));
            }
            let root = self.deployment.root(name);
            let stage = format!("destroy-{name}");
            if !root.folder().join(".terraform").exists() {
                self.deployment.terraform(&root, &["init", "-input=false", "-no-color"], &stage)?;
            }
            self.deployment.terraform(&root, &DESTROY, &stage)?;
            Ok((format!("destroyed, {}", recorded.summary()), json!({})))
        })
    }

    /// Does a stage, and says how it ended; `meanwhile` is the state that things are in if it fails.
    fn stage(
        &self,
        name: &'static str,
        meanwhile: &str,
        work: impl FnOnce() -> Result<(String, Value), Error>,
    ) -> Result<(), Ended> {
        let begun = Instant::now();
        let result = work();
        if self.stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted(name));
        }
        match result {
            Ok((text, mut facts)) => {
                let seconds = begun.elapsed().as_secs();
                facts["seconds"] = json!(seconds);
                Ok(self.done(name, &format!("{text} ({seconds} s)"), &facts)?)
            }
            Err(error) => {
                let again = again(self.args);
                let hint =
                    format!("{meanwhile}; what is destroyed stays so, and this goes on once that is mended: {again}");
                Err(Ended::Failed(match error {
                    Error::Usage(reason) => Error::Usage(format!("{name}: {reason}\nhint: {hint}")),
                    Error::Failed(reason) => Error::Failed(format!("{name}: {reason}\nhint: {hint}")),
                }))
            }
        }
    }

    /// A stage is done.
    fn done(&self, stage: &str, text: &str, facts: &Value) -> Result<(), Error> {
        tell(&format!("{stage}: {text}"));
        if self.args.format == Format::Json {
            let mut line = json!({"stage": stage, "status": "done"});
            if let (Some(line), Some(facts)) = (line.as_object_mut(), facts.as_object()) {
                line.extend(facts.clone());
            }
            print(&format!("{line}\n"))?;
        }
        Ok(())
    }

    /// Looks at everything, again where something is found: it may be on its way out.
    fn sweep(&self, region: &str) -> Result<Sweep, Ended> {
        tell("sweep: looks at everything in the region");
        let mut looks = 0;
        let sweep = loop {
            let sweep = Sweep::of(region, &self.functions);
            if self.stop.load(Ordering::Acquire) {
                return Err(Ended::Interrupted("sweep"));
            }
            let sweep = sweep?;
            looks += 1;
            if sweep.found.is_empty() || looks == LOOKS {
                break sweep;
            }
            tell(&format!("sweep: {} still listed, looks again", things(sweep.found.len())));
            wait(LOOK_EVERY, &self.stop);
        };
        report(&sweep, self.args.format, &format!("{region} of account {}", self.deployment.account()))?;
        Ok(sweep)
    }

    fn tell_clean_is_left(&self) {
        if self.args.clean {
            tell(&format!("{} is kept, because something may remain", self.folder.display()));
        }
    }
}

/// Refuses an account that the deployment is not in.
fn is_of(caller: &Value, account: &str, folder: &Path) -> Result<(), Error> {
    let found = caller["Account"].as_str().unwrap_or_default();
    if found == account {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "not ours: your credentials are of account {found:?}, and what {} records was deployed into {account:?}: set AWS_PROFILE, \
         or name another --state; nothing was destroyed",
        folder.display()
    )))
}

/// Without a state nobody knows what was made by whom: what is ours is listed, and removing it is left to the reader.
fn without_state(args: &Args, folder: &Path, functions: &Functions) -> Result<Status, Error> {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    let region = region.filter(|region| !region.is_empty()).unwrap_or_else(|| REGION.to_owned());
    let caller = aws::call(&region, &["sts", "get-caller-identity"])?;
    let account = caller["Account"].as_str().unwrap_or_default();
    tell(&format!(
        "{}: no deployment there, so nothing is destroyed: looks at what is ours in {region} of account {account}; \
         AWS_REGION names another",
        folder.display()
    ));
    let sweep = Sweep::of(&region, functions)?;
    report(&sweep, args.format, &format!("{region} of account {account}"))?;
    Ok(if sweep.is_clean() { Status::Holds } else { Status::Fails })
}

/// Says what a sweep has found: on stdout the proof, or the commands that remove what remains.
fn report(sweep: &Sweep, format: Format, place: &str) -> Result<(), Error> {
    match format {
        Format::Json => print(&format!("{}\n", with_stage(sweep)))?,
        Format::Text if sweep.found.is_empty() => print(&sweep.counts())?,
        Format::Text => {
            tell(sweep.counts().trim_end());
            print(&sweep.commands())?;
        }
    }
    let kinds = sweep.looked_at.len();
    let unseen = sweep.unseen.len();
    let how = "on stdout stands what removes each, in this order; read it, then paste it";
    tell(&match (sweep.found.len(), unseen) {
        (0, 0) => format!("nothing with our tag or name remains in {place}: {kinds} types were looked at"),
        (0, _) => format!(
            "error: {unseen} of {} types could not be looked at in {place}, so nothing is proven; the others have nothing of ours",
            kinds + unseen
        ),
        (found, 0) => format!("error: {} of ours in {place}\nhint: {how}", things(found)),
        (found, _) => format!(
            "error: {} of ours in {place}, and {unseen} of {} types could not be looked at\nhint: {how}",
            things(found),
            kinds + unseen
        ),
    });
    Ok(())
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".into() } else { format!("{count} things") }
}

fn with_stage(sweep: &Sweep) -> Value {
    let mut document = sweep.document();
    document["stage"] = json!("sweep");
    document["status"] = json!(match (sweep.is_clean(), sweep.found.is_empty()) {
        (true, _) => "clean",
        (false, true) => "unproven",
        (false, false) => "remains",
    });
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_is_refused() {
        let caller = json!({"Account": "000000000000"});
        assert!(is_of(&caller, "000000000000", Path::new("state")).is_ok());
        let Err(Error::Usage(text)) = is_of(&caller, "111122223333", Path::new("state")) else { unreachable!() };
        assert_eq!(
            text,
            "not ours: your credentials are of account \"000000000000\", and what state records was deployed into \"111122223333\": \
             set AWS_PROFILE, or name another --state; nothing was destroyed"
        );
        assert!(is_of(&json!({}), "000000000000", Path::new("state")).is_err());
    }

    #[test]
    fn what_goes_on_is_the_same_command_that_asks_again() {
        let args = Args { yes: true, state: Some("/tmp/state".into()), clean: true, format: Format::Text };
        assert_eq!(again(&args), "orderflow destroy --state /tmp/state --clean");
    }
}
