use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::topology::Topology;

use super::{Args, Hours};
use crate::deployment::{Deployment, REGION, Settings, System, VARIABLE};
use crate::stages::Done;
use crate::sweep::{Marks, Sweep};
use crate::tool::{Interruptions, Stop, ask, confirm, expect_terminal};
use crate::{Error, aws, cost, programs, tell};

/// Tells an address from which it is asked, in a line.
const WHO_AM_I: &str = "https://checkip.amazonaws.com";

pub(super) const ANYWHERE: &str = "0.0.0.0/0";

/// Networks that may reach the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Networks(Vec<String>);

/// An address, a network, several of them with commas between, or `anywhere`.
pub(super) fn networks(text: &str) -> Result<Networks, String> {
    if text == "anywhere" {
        return Ok(Networks(vec![ANYWHERE.into()]));
    }
    text.split(',').map(network).collect::<Result<_, _>>().map(Networks)
}

fn network(text: &str) -> Result<String, String> {
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let parsed =
        address.parse::<Ipv4Addr>().ok().zip(length.parse::<u32>().ok().filter(|length| (1..=32).contains(length)));
    let (address, length) =
        parsed.ok_or_else(|| format!("found {text:?}, allowed 203.0.113.7, 203.0.113.0/24 or anywhere"))?;
    let first = Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - length)));
    Ok(format!("{first}/{length}"))
}

/// The repository.
///
/// # Errors
/// Where the folder is none.
pub(super) fn source(folder: &Path, system: System) -> Result<PathBuf, Error> {
    let source = std::path::absolute(folder).map_err(|error| Error::Usage(format!("{}: {error}", folder.display())))?;
    let roots = system.roots().iter().map(|root| format!("terraform/{}", root.name()));
    for part in roots.chain([format!("ansible/{}", system.playbook()), "topology.json".to_owned()]) {
        if !source.join(&part).exists() {
            return Err(Error::Usage(format!(
                "{}: there is no {part}: name the repository with --source",
                source.display()
            )));
        }
    }
    Ok(source)
}

/// Whether it can begin, and the operator's word.
pub(super) fn run(
    args: &Args,
    opened: Option<&Deployment>,
    topology: &Topology,
    interruptions: &Interruptions,
) -> Result<(Settings, Done), Stop> {
    if !args.yes && !args.plan {
        expect_terminal()?;
    }
    let missing = programs::missing_for_a_deployment();
    if !missing.is_empty() {
        return Err(Error::Failed(format!("{} programs are missing\n  {}", missing.len(), missing.join("\n  "))).into());
    }
    let (settings, arn) = decide(args, opened, interruptions)?;
    let Settings { account, region, ssh_from, hours, .. } = &settings;
    if opened.is_none() {
        expect_nothing_of_ours(region, args.system, topology)?;
        interruptions.check()?;
    }
    let (hour, month) = (cost::an_hour(topology, &settings)?, cost::a_month(topology, &settings)?);
    let until = hours.map_or_else(
        || format!("{month:.0} a month, until somebody destroys it"),
        |hours| {
            format!(
                "about {:.2} dollars for {hours} hours, after which hosts and mappings stop by themselves",
                hour * f64::from(hours)
            )
        },
    );
    tell(&format!(
        "account {account}, {region}, as {arn}\nport 22 of the hosts is open to {}\nabout {hour:.2} dollars an hour: {until}",
        ssh_from.join(", ")
    ));
    let sizes =
        settings.variables.keys().filter(|name| name.ends_with("instance_type") || name.ends_with("volume_gib"));
    let sizes: Vec<&str> = sizes.map(String::as_str).collect();
    if !sizes.is_empty() {
        tell(&format!("warning: these costs are of the default sizes, and you have set {}", sizes.join(", ")));
    }
    if ssh_from.iter().any(|network| network == ANYWHERE) {
        tell("warning: anyone may try port 22 of the hosts");
    }
    if !args.yes && !args.plan {
        confirm("This deploys to AWS.", interruptions)?;
    }
    let text = format!("account {account}, {region}, {hour:.2} dollars an hour");
    Ok((settings, Done::unchanged(text)))
}

/// What applies: what was typed, else what the deployment has, else the default; and as whom AWS is asked.
///
/// # Errors
/// Where the credentials or the region are another deployment's.
pub(super) fn decide(
    args: &Args,
    opened: Option<&Deployment>,
    interruptions: &Interruptions,
) -> Result<(Settings, String), Stop> {
    let before = opened.map(Deployment::settings);
    let region = match (&args.region, before) {
        (Some(region), Some(before)) if *region != before.region => {
            let text = format!("--region {region}: this deployment is in {}: name another with --state", before.region);
            return Err(Error::Usage(text).into());
        }
        (Some(region), _) => region.clone(),
        (None, Some(before)) => before.region.clone(),
        (None, None) => REGION.to_owned(),
    };
    let (account, arn) = caller(&region)?;
    interruptions.check()?;
    if let Some(before) = before.filter(|before| before.account != account) {
        return Err(Error::Usage(format!(
            "these are credentials of account {account}, and this deployment is in account {}: name another with --state, or other credentials",
            before.account
        ))
        .into());
    }
    let ssh_from = match (&args.ssh_from, before) {
        (Some(Networks(networks)), _) => networks.clone(),
        (None, Some(before)) => before.ssh_from.clone(),
        (None, None) => own_address(args, interruptions)?,
    };
    let hours = match (args.hours, before) {
        (Some(Hours(hours)), _) => hours,
        (None, Some(before)) => before.hours,
        (None, None) => args.system.hours(),
    };
    let mut variables = before.map(|before| before.variables.clone()).unwrap_or_default();
    let given = std::env::vars().filter_map(|(name, value)| Some((name.strip_prefix(VARIABLE)?.to_owned(), value)));
    variables.extend(given);
    Ok((Settings { system: args.system, account, region, ssh_from, hours, variables }, arn))
}

/// What nobody here knows of would stand in the way, and be paid for: another deployment, or what is left of one.
fn expect_nothing_of_ours(region: &str, system: System, topology: &Topology) -> Result<(), Error> {
    tell("looks at what is there already");
    let sweep = Sweep::of(region, &Marks::of(system, topology))?;
    if !sweep.unseen.is_empty() {
        let kinds: Vec<&str> = sweep.unseen.iter().map(|(kind, _)| *kind).collect();
        // Of several reasons the one that says what to do.
        let reasons = || sweep.unseen.iter().map(|(_, reason)| reason.as_str());
        let reason = reasons()
            .find(|reason| reason.contains("orderflow-deployer"))
            .or(reasons().next_back())
            .unwrap_or_default();
        return Err(Error::Failed(format!(
            "these cannot even be looked at: {}; for one of them {reason}",
            kinds.join(", ")
        )));
    }
    let Some(first) = sweep.found.first() else { return Ok(()) };
    Err(Error::Failed(format!(
        "{} things of another deployment are there, {} {} for one: name its folder with --state; if there is none any more, `orderflow destroy{}` \
         prints the commands that remove them",
        sweep.found.len(),
        first.kind,
        first.id,
        system.argument()
    )))
}

/// The account, and as whom it is asked.
///
/// # Errors
/// Where AWS knows nobody of these credentials.
pub(crate) fn caller(region: &str) -> Result<(String, String), Error> {
    let identity = aws::call(region, &["sts", "get-caller-identity"])?;
    let word = |name: &str| identity[name].as_str().unwrap_or_default().to_owned();
    Ok((word("Account"), word("Arn")))
}

/// The address by which the internet knows this machine; where nobody tells, the operator is asked.
fn own_address(args: &Args, interruptions: &Interruptions) -> Result<Vec<String>, Stop> {
    let output = Command::new("curl").args(["--silent", "--fail", "--max-time", "10", WHO_AM_I]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if let Ok(own) = network(&text) {
        return Ok(vec![own]);
    }
    let unknown =
        format!("curl and {WHO_AM_I} do not tell this machine's address: say with --ssh-from who may reach the hosts");
    if args.yes || expect_terminal().is_err() {
        return Err(Error::Usage(unknown).into());
    }
    let answer = ask("Who may reach the hosts by SSH? An address such as 203.0.113.7, or a network:", interruptions)?;
    let Networks(networks) = networks(&answer).map_err(Error::Usage)?;
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_reach_the_hosts_is_an_address_a_network_or_anywhere() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("anywhere", "0.0.0.0/0"),
            ("203.0.113.7,198.51.100.0/24", "203.0.113.7/32,198.51.100.0/24"),
        ] {
            assert_eq!(networks(text).unwrap().0.join(","), expected, "{text}");
        }
        for text in ["", "home", "203.0.113.7/33", "203.0.113.7/0", "1.2.3", "203.0.113.7,"] {
            assert!(networks(text).unwrap_err().contains("allowed 203.0.113.7"), "{text}");
        }
    }
}
