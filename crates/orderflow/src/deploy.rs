//! `orderflow deploy`: from an AWS account to running services, stage by stage.

use std::path::{Path, PathBuf};

use ::topology::Topology;
use clap::ValueEnum;
use serde_json::Value;

use crate::deployment::{Deployment, Place, Root, System};
use crate::stages::{Done, Stages};
use crate::tool::{Interruptions, Stop, Tools, quoted, typed_without};
use crate::{Error, Format, Status, cost, package};

pub(crate) use check::caller;

mod ansible; // the hosts become what they are for
mod check; // whether it can begin, and the operator's word
mod hosts; // terraform/cluster, or terraform/food
mod inventory; // Ansible's
mod packages; // what is deployed
mod services; // terraform/services
mod smoke_test; // one order through everything
mod ssh; // the hosts answer, and reach each other as they have to

/// Deploys everything to AWS, or goes on where an earlier try stopped; what is there as it should be is not touched.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Terraform's other variables are taken from TF_VAR_NAME, such as TF_VAR_poller_mode=provisioned, once, and kept.\n\n\
    Examples:\n  orderflow deploy --hours 4\n  orderflow deploy --plan\n  orderflow deploy --from ansible --yes\n  orderflow deploy food"
)]
pub(crate) struct Args {
    /// What is deployed.
    #[arg(value_enum, default_value_t)]
    system: System,
    /// This stage alone.
    #[arg(long, value_enum, value_name = "STAGE", conflicts_with = "from")]
    only: Option<Stage>,
    /// This stage and those behind it.
    #[arg(long, value_enum, value_name = "STAGE")]
    from: Option<Stage>,
    /// Shows what would be done, and changes nothing in AWS and on the hosts.
    #[arg(long)]
    plan: bool,
    /// Deploys without asking.
    #[arg(short, long)]
    yes: bool,
    /// Where zips and the static `orderflow` lie, as `ci/package` makes them; without it they are built.
    #[arg(long, value_name = "FOLDER")]
    zips: Option<PathBuf>,
    /// After so many hours everything stops by itself, 1 to 168, or `never`; 4 for a new deployment. The host of the food orders never does.
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    hours: Option<Hours>,
    /// Who may reach the hosts by SSH and the console's pages: an address, a network, or `anywhere`, SSH alone. The caller's
    /// own address for a new deployment.
    #[arg(long, value_name = "NETWORK", value_parser = check::networks)]
    ssh_from: Option<check::Networks>,
    /// The region of a new deployment; us-east-1 if absent.
    #[arg(long)]
    region: Option<String>,
    /// The repository, whose Terraform and Ansible files are used.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: PathBuf,
    #[command(flatten)]
    place: Place,
    /// How stages are told of: text, or a JSON line each.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What deployments are made of, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Stage {
    /// Tools, credentials, topology, who may reach the hosts, what it costs; asks.
    Check,
    /// Zips and the operator's program.
    Package,
    /// Network, hosts, bucket and roles; of the shop.
    Cluster,
    /// Network and host; of the food orders.
    Host,
    /// Ansible's inventory.
    Inventory,
    /// Hosts answer by SSH, and reach each other.
    Ssh,
    /// Hosts become the secured Kafka cluster, and the one of the food orders all else that they need.
    Ansible,
    /// Functions, mappings, secrets, the schedule; of the shop.
    Services,
    /// One order through everything.
    SmokeTest,
    /// Addresses, costs, the command that destroys it.
    Summary,
}

/// After how many hours it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours(Option<u32>);

fn hours(text: &str) -> Result<Hours, String> {
    if text == "never" {
        return Ok(Hours(None));
    }
    let number = text.parse().ok().filter(|hours| (1..=168).contains(hours));
    number.map(|hours| Hours(Some(hours))).ok_or_else(|| "allowed 1 to 168 hours, or `never`".into())
}

/// What stages share.
struct Deploy<'a> {
    args: &'a Args,
    source: &'a Path,
    topology: &'a Topology,
    /// The file that it was read from.
    topology_text: &'a str,
    deployment: Deployment,
}

/// Runs the stages.
///
/// # Errors
/// Where the call does not serve; what a stage could not do is told, and the status says it.
pub(crate) fn execute(args: &Args, topology_path: Option<&Path>) -> Result<Status, Error> {
    let interruptions = Interruptions::heed()?;
    let stages = Stages::new(args.format, &interruptions);
    let selected = args.stages()?;
    let source = check::source(&args.source, args.system)?;
    let topology_file = topology_path.map_or_else(|| source.join("topology.json"), Path::to_owned);
    let name = topology_file.display().to_string();
    let text = std::fs::read_to_string(&topology_file).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    let topology = Topology::parse(&name, &text).map_err(|error| Error::Usage(error.to_string()))?;
    let folder = args.place.folder(args.system)?;

    let mut begun = None;
    let mut begin = || {
        let opened = Deployment::open(&folder, args.system, &interruptions)?;
        let (settings, done) = if selected.contains(&Stage::Check) {
            check::run(args, opened.as_ref(), &topology, &interruptions)?
        } else if opened.is_none() {
            let text = format!("{}: there is no deployment: begin with the first stage", folder.display());
            return Err(Error::Usage(text).into());
        } else {
            let (settings, _) = check::decide(args, opened.as_ref(), &interruptions)?;
            (settings, Done::default())
        };
        begun = Some(match args.plan {
            true => Deployment::planned(opened, settings)?,
            false => Deployment::begin(opened, &folder, settings, &interruptions)?,
        });
        Ok(done)
    };
    let is_stage = selected.contains(&Stage::Check);
    let result = if is_stage { stages.run(Stage::Check.name(), begin) } else { interruptions.judge(begin()) };
    let deployment = match (result, begun) {
        (Ok(_), Some(deployment)) => deployment,
        (Err(stop), _) if !is_stage => return stop.before_anything(),
        (result, _) => {
            return stages.conclude(result.map(|_| ()), || "nothing was changed".into(), &typed_without(&[]));
        }
    };
    let deploy = Deploy { args, source: &source, topology: &topology, topology_text: &text, deployment };
    for stage in selected.into_iter().filter(|stage| *stage != Stage::Check) {
        let work = || {
            let mut tools = deploy.deployment.tools(&interruptions, stage.name())?;
            deploy.run(stage, &mut tools)
        };
        if let Err(stop) = stages.run(stage.name(), work) {
            let again = || format!("{} --from {}", typed_without(&["--from"]), stage.name());
            let go_on = if args.only.is_some() { typed_without(&[]) } else { again() };
            return stages.conclude(Err(stop), || deploy.what_stands(), &go_on);
        }
    }
    stages.conclude(Ok(()), String::new, "")
}

impl Args {
    /// Those that are to run.
    ///
    /// # Errors
    /// Where an option is none of this system's.
    fn stages(&self) -> Result<Vec<Stage>, Error> {
        let stages: Vec<Stage> =
            Stage::value_variants().iter().copied().filter(|stage| stage.is_of(self.system)).collect();
        let name = self.system.name();
        if let Some(stage) = self.only.or(self.from).filter(|stage| !stages.contains(stage)) {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
            let (stage, names) = (stage.name(), names.join(", "));
            return Err(Error::Usage(format!("{stage} is no stage of a deployment of {name}; its stages are {names}")));
        }
        if self.system == System::Food && self.hours.is_some() {
            let end = "its host costs until `orderflow destroy food` ends it";
            return Err(Error::Usage(format!("--hours: a deployment of {name} does not stop by itself: {end}")));
        }
        let is_selected = |stage: &Stage| match (self.only, self.from) {
            (Some(only), _) => *stage == only,
            (None, Some(from)) => *stage >= from,
            (None, None) => true,
        };
        Ok(stages.into_iter().filter(is_selected).collect())
    }
}

impl Stage {
    fn is_of(self, system: System) -> bool {
        match self {
            Self::Cluster | Self::Services => system == System::Shop,
            Self::Host => system == System::Food,
            _ => true,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Package => "package",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::Inventory => "inventory",
            Self::Ssh => "ssh",
            Self::Ansible => "ansible",
            Self::Services => "services",
            Self::SmokeTest => "smoke-test",
            Self::Summary => "summary",
        }
    }
}

impl Deploy<'_> {
    fn run(&self, stage: Stage, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        match stage {
            Stage::Check => Ok(Done::default()), // before there is a deployment
            Stage::Package => self.package(tools),
            Stage::Cluster => self.cluster(tools),
            Stage::Host => self.host(tools),
            Stage::Inventory => self.inventory(),
            Stage::Ssh => self.ssh(tools),
            Stage::Ansible => self.ansible(tools),
            Stage::Services => self.services(tools),
            Stage::SmokeTest => self.smoke_test(tools),
            Stage::Summary => self.summary(),
        }
    }

    fn region(&self) -> &str {
        &self.deployment.settings().region
    }

    fn system(&self) -> System {
        self.args.system
    }

    fn functions(&self) -> Vec<&str> {
        match self.system() {
            System::Shop => package::functions(self.topology),
            System::Food => Vec::new(),
        }
    }

    /// Copies what Terraform reads, and applies a root, or shows what that would do; gives how many things it changed.
    fn apply(&self, root: Root, variables: &Value, tools: &mut Tools<'_>) -> Result<Option<u64>, Stop> {
        self.deployment.copy_roots(self.source, self.topology_text)?;
        self.deployment.write_variables(root, variables)?;
        if self.args.plan {
            self.deployment.terraform(root, &PLAN, tools)?;
            return Ok(None);
        }
        let said = self.deployment.terraform(root, &APPLY, tools)?;
        Ok(Some(changes(said.lines())?))
    }

    /// What an operator has to know when a stage did not reach its end.
    fn what_stands(&self) -> String {
        let destroy = self.destroy_command();
        let logs = self.deployment.logs().display().to_string();
        if self.args.plan {
            return format!("nothing was changed; logs: {logs}");
        }
        let recorded = |root: &Root| match self.deployment.recorded(*root) {
            Ok(recorded) if recorded.is_empty() => None,
            Ok(recorded) => Some(format!("{}: {}", root.stage(), recorded.summary())),
            Err(error) => Some(error.to_string()),
        };
        let there: Vec<String> = self.system().roots().iter().filter_map(recorded).collect();
        if there.is_empty() {
            return format!("nothing of AWS is recorded; logs: {logs}");
        }
        let hour = cost::an_hour(self.topology, self.deployment.settings());
        let hour = hour.map_or_else(|_| String::new(), |hour| format!(", up to {hour:.2} dollars an hour"));
        format!("there, and paid for{hour}: {}\nlogs: {logs}\nto remove it: {destroy}", there.join("; "))
    }

    fn destroy_command(&self) -> String {
        format!("orderflow destroy{}{}", self.system().argument(), self.args.place.arguments())
    }

    fn summary(&self) -> Result<Done, Stop> {
        if self.args.plan {
            return Ok(Done::unchanged("nothing was changed"));
        }
        let deployment = &self.deployment;
        let config = quoted(&deployment.ssh_config().display().to_string());
        let mut text = String::from("\n");
        for (name, host) in deployment.hosts()? {
            text += &format!("  {name:<14} {:<16} ssh -F {config} {name}\n", host.public_address);
        }
        let look = match self.system() {
            System::Shop => {
                text += &format!("  functions      {}\n", self.functions().join(", "));
                // Services of before there was one have no such output.
                if let Some(page) = deployment.output(Root::Services, "dashboard").unwrap_or(Value::Null).as_str() {
                    text += &format!("  dashboard      {page}\n");
                }
                format!("orderflow verify{}", self.args.place.arguments())
            }
            System::Food => {
                format!("ssh -F {config} food-1 sudo journalctl --follow --output cat --unit \"'orderflow-food-*'\"")
            }
        };
        let stop = match self.system() {
            System::Shop => deployment.output(Root::Services, "stop_at").unwrap_or(Value::Null),
            System::Food => Value::Null,
        };
        let (hour, month) = (
            cost::an_hour(self.topology, deployment.settings())?,
            cost::a_month(self.topology, deployment.settings())?,
        );
        let (stop, end) = match stop.as_str() {
            Some(moment) => (moment.to_owned(), String::new()),
            None => ("never by itself".to_owned(), format!(", {month:.0} a month")),
        };
        text += &format!("  stops          {stop}\n");
        text += &format!("  costs          about {hour:.2} dollars an hour{end} until it is destroyed\n");
        text += &format!("  to look at it  {look}\n");
        text += &format!("  to destroy it  {}", self.destroy_command());
        Ok(Done::unchanged(text))
    }
}

/// What an apply changed, by its own words: `Apply complete! Resources: 1 added, 2 changed, 0 destroyed.`
fn changes<'l>(said: impl DoubleEndedIterator<Item = &'l str>) -> Result<u64, Error> {
    let line = said.rev().find_map(|line| line.strip_prefix("Apply complete! Resources: "));
    let line = line.ok_or_else(|| Error::Failed("terraform did not say what it changed".into()))?;
    Ok(line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok()).sum())
}

/// Terraform's arguments for an apply, and for a look at what one would do.
const APPLY: [&str; 5] = ["apply", "-auto-approve", "-input=false", "-no-color", "-lock-timeout=2m"];
const PLAN: [&str; 4] = ["plan", "-input=false", "-no-color", "-lock-timeout=2m"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_apply_changed_stands_before_its_outputs() {
        let said = [
            "Creating...",
            "Apply complete! Resources: 84 added, 1 changed, 2 destroyed.",
            "",
            "Outputs:",
            "bucket = \"b-7\"",
        ];
        assert_eq!(changes(said.into_iter()).unwrap(), 87);
        assert!(changes(["Error: no"].into_iter()).is_err());
    }
}
