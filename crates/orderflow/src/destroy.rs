//! `orderflow destroy`: ends a deployment on AWS, and proves that nothing of it remains.
//!
//! What Terraform recorded goes by Terraform; what it leaves or waits for goes by the `aws` command; and a look at every type
//! of things in the region has the last word. Each stage finds what is left to do by itself, so that a destroy that
//! stopped anywhere, or a deploy that did, is gone on with by the same command.

use std::path::Path;
use std::time::Duration;

use ::topology::Topology;
use serde_json::{Value, json};

use crate::deploy::caller;
use crate::deployment::{Deployment, Place, REGION, Root, System};
use crate::stages::{Done, Stages};
use crate::sweep::{Marks, Sweep};
use crate::tool::{Interruptions, Stop, confirm, typed_without};
use crate::{Error, Format, Status, print, tell};
use leftovers::{await_interfaces, delete_log_groups, empty_bucket};

mod leftovers; // what Terraform does not end by itself

/// Destroys what is recorded, without asking.
const DESTROY: [&str; 5] = ["destroy", "-auto-approve", "-input=false", "-no-color", "-lock-timeout=2m"];

/// AWS's lists show for some seconds what is gone: so often is looked again before a thing is said to remain.
const LOOKS: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Destroys what was deployed on AWS, and proves that nothing with our tag or name remains
///
/// Where no state says what was deployed: prints what is ours in the region, each with the command that removes it, as a
/// shell script to read first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderflow destroy --yes\n  orderflow destroy food")]
pub(crate) struct Args {
    /// Whose deployment.
    #[arg(value_enum, default_value_t)]
    system: System,
    /// Does it without asking.
    #[arg(short, long)]
    yes: bool,
    /// Where is looked for what is ours, if no state says it.
    #[arg(long, default_value = REGION)]
    region: String,
    #[command(flatten)]
    place: Place,
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
/// Where the call does not serve; what a stage could not do is told, and the status says it.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let interruptions = Interruptions::heed()?;
    let stages = Stages::new(args.format, &interruptions);
    let go_on = typed_without(&[]);
    let folder = args.place.folder(args.system)?;
    let deployment = match interruptions.judge(Deployment::open(&folder, args.system, &interruptions)) {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return without_state(args, &folder, &Marks::of(args.system, topology)),
        Err(stop) => return stop.before_anything(),
    };
    let marks = Marks::of(args.system, &deployment.topology().unwrap_or_else(|_| topology.clone()));
    let mut destroy = Destroy { args, deployment, marks, interruptions: &interruptions };
    let result = destroy.run(&stages);
    if result.is_ok() && args.clean {
        destroy.deployment.remove()?;
        let lost = "and with it reports, keys, passwords and the authority";
        tell(&format!("{} is gone, {lost}", folder.display()));
        return stages.conclude(Ok(()), String::new, "");
    }
    stages.conclude(result, || destroy.what_stands(), &go_on)
}

struct Destroy<'a> {
    args: &'a Args,
    deployment: Deployment,
    marks: Marks,
    interruptions: &'a Interruptions,
}

impl Destroy<'_> {
    fn run(&mut self, stages: &Stages) -> Result<(), Stop> {
        stages.run("check", || self.check())?;
        match self.args.system {
            System::Shop => self.shop(stages)?,
            System::Food => drop(stages.run(Root::Food.stage(), || self.terraform(Root::Food))?),
        }
        stages.run("sweep", || self.sweep())?;
        Ok(())
    }

    /// The shop's roots, the last one first, and what they leave.
    fn shop(&mut self, stages: &Stages) -> Result<(), Stop> {
        let (services, cluster) = (self.deployment.recorded(Root::Services)?, self.deployment.recorded(Root::Cluster)?);
        let before = self.deployment.recorded_before(Root::Services);
        self.marks = self.marks.clone().with_functions(services.functions()).with_functions(before.functions());
        let (this, heed) = (&*self, self.interruptions);
        let region = this.region();

        stages.run("services", || this.terraform(Root::Services))?;
        stages.run("interfaces", || {
            let Some(vpc) = cluster.vpc() else { return Ok(Done::unchanged("no network, so none")) };
            let count = await_interfaces(region, vpc, heed)?;
            Ok(Done::unchanged(format!("{count} of Lambda's in {vpc} are gone")))
        })?;
        stages.run("bucket", || {
            let Some(bucket) = cluster.bucket() else { return Ok(Done::unchanged("none recorded")) };
            let changed = empty_bucket(region, bucket, heed)? as u64;
            Ok(Done { text: format!("{bucket} is empty, of {changed} versions"), changed })
        })?;
        stages.run("cluster", || this.terraform(Root::Cluster))?;
        stages.run("log-groups", || {
            heed.check()?;
            let deleted = delete_log_groups(region, this.marks.functions())?;
            Ok(Done { text: format!("{} had come back", deleted.len()), changed: deleted.len() as u64 })
        })?;
        Ok(())
    }

    fn what_stands(&self) -> String {
        let recorded = |root: &Root| match self.deployment.recorded(*root) {
            Ok(recorded) => format!("{}: {}", root.stage(), recorded.summary()),
            Err(error) => error.to_string(),
        };
        let there: Vec<String> = self.args.system.roots().iter().map(recorded).collect();
        format!("what is destroyed stays so; {}; {} is kept", there.join("; "), self.deployment.folder().display())
    }

    fn region(&self) -> &str {
        &self.deployment.settings().region
    }

    /// The account is that of the deployment, and the operator agrees.
    fn check(&self) -> Result<Done, Stop> {
        let (mut there, mut is_empty) = (Vec::new(), true);
        for &root in self.args.system.roots().iter().rev() {
            let recorded = self.deployment.recorded(root)?;
            there.push(format!("{}: {}", root.stage(), recorded.summary()));
            is_empty &= recorded.is_empty();
        }
        let (account, arn) = caller(self.region())?;
        is_of(&account, &self.deployment.settings().account, self.deployment.folder())?;
        if self.args.system == System::Shop && arn.contains(":assumed-role/orderflow-deployer/") {
            tell(
                "warning: you act by the role orderflow-deployer, which goes with the cluster: what comes after it needs credentials of your own",
            );
        }
        let text = format!("account {account}, {}: {}", self.region(), there.join("; "));
        if !self.args.yes && !is_empty {
            tell(&text);
            confirm("All of it goes, and with it all records, orders and logs, for good.", self.interruptions)?;
        }
        Ok(Done::unchanged(text))
    }

    /// Destroys what one root has recorded.
    fn terraform(&self, root: Root) -> Result<Done, Stop> {
        let recorded = self.deployment.recorded(root)?;
        if recorded.is_empty() {
            return Ok(Done::unchanged("nothing recorded, so skipped"));
        }
        let stage = format!("destroy-{}", root.stage());
        let mut tools = self.deployment.tools(self.interruptions, &stage)?;
        let ended = self.deployment.end_forgotten_hosts(root, &mut tools)?;
        self.deployment.terraform(root, &DESTROY, &mut tools)?;
        Ok(Done { text: format!("destroyed, {}", recorded.summary()), changed: recorded.count() + ended })
    }

    /// Looks at everything, again where something is found: it may be on its way out.
    fn sweep(&self) -> Result<Done, Stop> {
        let mut looks = 0;
        let sweep = loop {
            let sweep = Sweep::of(self.region(), &self.marks).map_err(Error::from)?;
            self.interruptions.check()?;
            looks += 1;
            if sweep.found.is_empty() || looks == LOOKS {
                break sweep;
            }
            tell(&format!("{} still listed, looks again", things(sweep.found.len())));
            self.interruptions.pause(LOOK_EVERY)?;
        };
        let place = format!("{} of account {}", self.region(), self.deployment.settings().account);
        let text = report(&sweep, self.args.format, &place)?;
        if !sweep.is_clean() { Err(Error::Failed(text).into()) } else { Ok(Done::unchanged(text)) }
    }
}

/// Refuses an account that the deployment is not in.
fn is_of(found: &str, account: &str, folder: &Path) -> Result<(), Error> {
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
fn without_state(args: &Args, folder: &Path, marks: &Marks) -> Result<Status, Error> {
    let region = args.region.clone();
    let (account, _) = caller(&region)?;
    tell(&format!(
        "{}: no deployment there, so nothing is destroyed: looks at what is ours in {region} of account {account}; \
         --region names another",
        folder.display()
    ));
    let sweep = Sweep::of(&region, marks)?;
    tell(&report(&sweep, args.format, &format!("{region} of account {account}"))?);
    Ok(if sweep.is_clean() { Status::Holds } else { Status::Fails })
}

/// Prints what a sweep has found: the proof, or the commands that remove what remains; gives it in a sentence.
fn report(sweep: &Sweep, format: Format, place: &str) -> Result<String, Error> {
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
    Ok(match (sweep.found.len(), unseen) {
        (0, 0) => format!("nothing with our tag or name remains in {place}: {kinds} types were looked at"),
        (0, _) => format!(
            "{unseen} of {} types could not be looked at in {place}, so nothing is proven; the others have nothing of ours",
            kinds + unseen
        ),
        (found, 0) => format!("{} of ours in {place}\nhint: {how}", things(found)),
        (found, _) => format!(
            "{} of ours in {place}, and {unseen} of {} types could not be looked at\nhint: {how}",
            things(found),
            kinds + unseen
        ),
    })
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
        assert!(is_of("000000000000", "000000000000", Path::new("state")).is_ok());
        let Err(Error::Usage(text)) = is_of("000000000000", "111122223333", Path::new("state")) else { unreachable!() };
        assert_eq!(
            text,
            "not ours: your credentials are of account \"000000000000\", and what state records was deployed into \"111122223333\": \
             set AWS_PROFILE, or name another --state; nothing was destroyed"
        );
        assert!(is_of("", "000000000000", Path::new("state")).is_err());
    }
}
