//! `orderflow cost`: what a run on AWS costs, item by item, from the topology and a table of prices.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::topology::{Host, Topology};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deployment::Settings;
use crate::{Error, Format, Status, print};

/// List prices in US dollars, with their date and where they stand.
const PRICES: &str = include_str!("cost/prices.json");

/// AWS's month.
const MONTH_HOURS: f64 = 730.0;

/// Hosts as `terraform/cluster` makes them by default: what they are, how many, their size and their disk in GiB.
const HOSTS: [(&str, f64, &str, f64); 3] = [
    ("ZooKeeper hosts", 3.0, "t2.micro", 16.0),
    ("brokers", 3.0, "t2.micro", 16.0),
    ("console host", 1.0, "t3.large", 32.0),
];
const ZONES: f64 = 3.0;

/// Interface endpoints that functions and pollers need in a VPC: Secrets Manager's always, Lambda's and STS's for pollers on demand.
const ENDPOINTS: (f64, f64) = (3.0, 1.0);

/// `rate(1 minute)`, an order each time.
const ORDERS_AN_HOUR: f64 = 60.0;

// What is assumed of each, on the high side; all four are cents at this rate.
const INVOCATION_S: f64 = 0.1;
const LOG_BYTES: f64 = 1_024.0;
const RECORD_BYTES: f64 = 1_024.0;
/// A record goes to its leader, to two replicas and to a poller; each may be in another zone.
const HOPS: f64 = 4.0;
const ZIP_BYTES: f64 = 7_000_000.0;

const GIB: f64 = (1_u64 << 30) as f64;

/// Whose zone is gone within this time pays nothing for it.
const FREE_ZONE_HOURS: f64 = 12.0;

/// What a run on AWS costs, item by item, with pollers on demand and provisioned.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: orderflow cost --hours 4")]
pub(crate) struct Args {
    /// How long it stays.
    #[arg(long, value_name = "HOURS", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=8_760))]
    hours: u32,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The table of prices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    region: String,
    as_of: String,
    sources: Vec<String>,
    instance_hour: BTreeMap<String, f64>,
    volume_gib_month: f64,
    public_address_hour: f64,
    endpoint_zone_hour: f64,
    poller_hour: f64,
    million_invocations: f64,
    function_gib_second: f64,
    million_scheduled: f64,
    secret_month: f64,
    log_gib: f64,
    traffic_gib: f64,
    bucket_gib_month: f64,
    hosted_zone_month: f64,
}

/// One line of the bill.
#[derive(Debug, PartialEq)]
struct Item {
    what: String,
    /// In dollars: with pollers on demand, and provisioned.
    costs: (f64, f64),
}

/// Prints the bill for so many hours, and what a month costs if nobody destroys it.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let prices: Prices = serde_json::from_str(PRICES).map_err(Error::failed)?;
    let items = bill(topology, &prices, f64::from(args.hours))?;
    let month = total(&bill(topology, &prices, MONTH_HOURS)?);
    print(&match args.format {
        Format::Text => text(&items, month, args.hours, &prices),
        Format::Json => format!("{:#}\n", document(&items, month, args.hours, &prices)),
    })?;
    Ok(Status::Holds)
}

/// What an hour of a deployment costs, in dollars.
///
/// # Errors
/// Where a price is missing.
pub(crate) fn an_hour(topology: &Topology, settings: &Settings) -> Result<f64, Error> {
    let prices: Prices = serde_json::from_str(PRICES).map_err(Error::failed)?;
    let (on_demand, provisioned) = total(&bill(topology, &prices, 1.0)?);
    let is_provisioned = settings.variables.get("poller_mode").is_some_and(|mode| mode == "provisioned");
    Ok(if is_provisioned { provisioned } else { on_demand })
}

fn bill(topology: &Topology, prices: &Prices, hours: f64) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut item = |what: String, on_demand: f64, provisioned: f64| {
        items.push(Item { what, costs: (on_demand, provisioned) });
    };
    let months = hours / MONTH_HOURS;
    let (mut hosts, mut disk_gib) = (0.0, 0.0);
    for (name, count, size, gib) in HOSTS {
        let no_price = || Error::Failed(format!("prices.json: no instance_hour of {size}"));
        let cost = count * prices.instance_hour.get(size).ok_or_else(no_price)? * hours;
        item(format!("{count} {name}, {size}"), cost, cost);
        hosts += count;
        disk_gib += count * gib;
    }
    let cost = disk_gib * prices.volume_gib_month * months;
    item(format!("their volumes, {disk_gib} GiB of gp3"), cost, cost);
    let cost = hosts * prices.public_address_hour * hours;
    item(format!("their public addresses, {hosts}"), cost, cost);
    let endpoint = |count: f64| count * ZONES * prices.endpoint_zone_hour * hours;
    let (on_demand, provisioned) = ENDPOINTS;
    item(
        format!("interface endpoints in {ZONES} zones: {on_demand}, or {provisioned}"),
        endpoint(on_demand),
        endpoint(provisioned),
    );

    let groups: Vec<_> = topology.groups().filter(|(service, _)| service.host == Host::Lambda).collect();
    let mappings = groups.len() as f64;
    item(
        format!("pollers of {mappings} mappings, one each where they are provisioned"),
        0.0,
        mappings * prices.poller_hour * hours,
    );

    // At most one record an order in each topic, so one invocation a group.
    let orders = ORDERS_AN_HOUR * hours;
    let (mut invocations, mut gib_seconds) = (0.0, 0.0);
    let sources = topology.services().filter(|service| service.host == Host::Lambda && service.consumes.is_empty());
    for service in sources.chain(groups.iter().map(|(service, _)| *service)) {
        invocations += orders;
        gib_seconds += orders * INVOCATION_S * f64::from(service.memory_mib) / 1_024.0;
    }
    let cost = invocations / 1e6 * prices.million_invocations + gib_seconds * prices.function_gib_second;
    item(format!("{invocations:.0} invocations of {INVOCATION_S} s for {orders:.0} orders"), cost, cost);
    let cost = orders / 1e6 * prices.million_scheduled;
    item(format!("{orders:.0} events of the schedule"), cost, cost);
    let cost = invocations * LOG_BYTES / GIB * prices.log_gib;
    item("logs".to_owned(), cost, cost);

    let users = topology.services().filter(|service| service.host == Host::Lambda).count() as f64;
    let cost = (users + 1.0) * prices.secret_month * months;
    item(format!("{} secrets: a user each, and the CA", users + 1.0), cost, cost);
    let cost = invocations * RECORD_BYTES * HOPS / GIB * prices.traffic_gib;
    item("traffic between zones".to_owned(), cost, cost);
    let cost = (users + 1.0) * ZIP_BYTES / GIB * prices.bucket_gib_month * months;
    item("the bucket with the zips".to_owned(), cost, cost);
    let cost = if hours > FREE_ZONE_HOURS { prices.hosted_zone_month * months.ceil() } else { 0.0 };
    item("the private zone, free within its first 12 hours".to_owned(), cost, cost);
    Ok(items)
}

fn total(items: &[Item]) -> (f64, f64) {
    items.iter().fold((0.0, 0.0), |sum, item| (sum.0 + item.costs.0, sum.1 + item.costs.1))
}

fn text(items: &[Item], month: (f64, f64), hours: u32, prices: &Prices) -> String {
    let mut text = String::new();
    let mut row = |what: &str, on_demand: &str, provisioned: &str| {
        let _ = writeln!(text, "{what:<60} {on_demand:>12} {provisioned:>12}"); // a String takes all
    };
    row(&format!("{hours} HOURS, US DOLLARS"), "ON DEMAND", "PROVISIONED");
    let dollars = |cost: f64| if cost > 0.0 && cost < 0.005 { "under 0.01".to_owned() } else { format!("{cost:.2}") };
    for Item { what, costs: (on_demand, provisioned) } in items {
        row(what, &dollars(*on_demand), &dollars(*provisioned));
    }
    let sum = total(items);
    row("in all", &dollars(sum.0), &dollars(sum.1));
    row("a month, if nobody destroys it", &dollars(month.0), &dollars(month.1));
    let Prices { region, as_of, sources, .. } = prices;
    let _ = writeln!(
        text,
        "\nList prices of {region} as of {as_of}, without free tiers and taxes; look at {} and the other pages in prices.json before you rely on them.",
        sources.first().map_or("", String::as_str)
    );
    text
}

fn document(items: &[Item], month: (f64, f64), hours: u32, prices: &Prices) -> Value {
    let costs = |(on_demand, provisioned): (f64, f64)| json!({"on_demand": on_demand, "provisioned": provisioned});
    let lines: Vec<Value> = items.iter().map(|item| json!({"item": item.what, "dollars": costs(item.costs)})).collect();
    json!({
        "hours": hours, "region": prices.region, "as_of": prices.as_of, "sources": prices.sources,
        "items": lines, "total": costs(total(items)), "month": costs(month),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill_of(hours: f64) -> Vec<Item> {
        bill(&Topology::built_in().unwrap(), &serde_json::from_str(PRICES).unwrap(), hours).unwrap()
    }

    #[track_caller]
    fn costs(items: &[Item], what: &str, expected: (f64, f64)) {
        let item = items.iter().find(|item| item.what.contains(what)).unwrap();
        let is_near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(is_near(item.costs.0, expected.0) && is_near(item.costs.1, expected.1), "{item:?}");
    }

    /// The default of a variable of `terraform/cluster`.
    fn default_of(variable: &str) -> String {
        let text = include_str!("../../../terraform/cluster/variables.tf");
        let (_, rest) = text.split_once(&format!("variable \"{variable}\"")).unwrap();
        let line = rest.lines().find_map(|line| line.trim().strip_prefix("default")).unwrap();
        line.trim_matches([' ', '=', '"']).to_owned()
    }

    #[test]
    fn hosts_are_those_that_terraform_makes_by_default() {
        let [zookeeper, broker, console] = HOSTS;
        for (host, size, gib) in [
            (zookeeper, "instance_type", "volume_gib"),
            (broker, "instance_type", "volume_gib"),
            (console, "console_instance_type", "console_volume_gib"),
        ] {
            let (_, _, found_size, found_gib) = host;
            assert_eq!((found_size.to_owned(), found_gib.to_string()), (default_of(size), default_of(gib)));
        }
        let prices: Prices = serde_json::from_str(PRICES).unwrap();
        assert_eq!(prices.region, default_of("region"));
    }

    #[test]
    fn four_hours_cost_what_their_hours_cost() {
        let items = bill_of(4.0);
        costs(&items, "brokers", (3.0 * 0.0116 * 4.0, 3.0 * 0.0116 * 4.0));
        costs(&items, "public addresses, 7", (7.0 * 0.005 * 4.0, 7.0 * 0.005 * 4.0));
        costs(&items, "interface endpoints", (9.0 * 0.01 * 4.0, 3.0 * 0.01 * 4.0));
        costs(&items, "pollers of 6 mappings", (0.0, 6.0 * 0.185 * 4.0));
        costs(&items, "private zone", (0.0, 0.0));
        costs(&items, "1680 invocations of 0.1 s for 240 orders", {
            let cost = 1_680.0 / 1e6 * 0.2 + 1_680.0 * 0.1 * 0.125 * 0.0000166667;
            (cost, cost)
        });
    }

    #[test]
    fn what_is_forgotten_costs_its_month_and_its_zone_too() {
        let items = bill_of(MONTH_HOURS);
        costs(&items, "volumes, 128 GiB", (128.0 * 0.08, 128.0 * 0.08));
        costs(&items, "6 secrets", (6.0 * 0.4, 6.0 * 0.4));
        costs(&items, "private zone", (0.5, 0.5));
    }

    #[test]
    fn the_bill_adds_up_in_both_forms() {
        let items =
            vec![Item { what: "one".into(), costs: (1.0, 2.0) }, Item { what: "another".into(), costs: (0.001, 0.0) }];
        let prices: Prices = serde_json::from_str(PRICES).unwrap();
        let text = text(&items, (10.0, 20.0), 4, &prices);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(rows[0], ["4 HOURS, US DOLLARS", "ON DEMAND", "PROVISIONED"]);
        assert_eq!(rows[2], ["another", "under 0.01", "0.00"]);
        assert_eq!(rows[3], ["in all", "1.00", "2.00"]);
        assert_eq!(rows[4], ["a month, if nobody destroys it", "10.00", "20.00"]);
        let document = document(&items, (10.0, 20.0), 4, &prices);
        assert_eq!(document["total"], json!({"on_demand": 1.001, "provisioned": 2.0}));
        assert_eq!(document["month"]["provisioned"], 20.0);
    }
}
