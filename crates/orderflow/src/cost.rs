//! `orderflow cost`: what a run on AWS costs, item by item, from the topology and a table of prices.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::topology::{Host, Topology};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deployment::{Settings, System};
use crate::{Error, Format, Status, package, print};

/// List prices in US dollars, with their date and where they stand.
const PRICES: &str = include_str!("cost/prices.json");

/// AWS's month.
const MONTH_HOURS: f64 = 730.0;

/// Hosts that are alike, as Terraform makes them by default: what they are, how many, their size and their disk in GiB.
type Hosts = (&'static str, f64, &'static str, f64);

/// Those of `terraform/cluster`.
const CLUSTER: [Hosts; 3] = [
    ("ZooKeeper hosts", 3.0, "t2.micro", 16.0),
    ("brokers", 3.0, "t2.micro", 16.0),
    ("console host", 1.0, "t3.large", 32.0),
];
/// That of `terraform/food`.
const FOOD: [Hosts; 1] = [("host of everything", 1.0, "t2.small", 32.0)];

const ZONES: f64 = 3.0;

/// Interface endpoints that functions and pollers need in a VPC: Secrets Manager's always, Lambda's and STS's for pollers on demand.
const ENDPOINTS: (f64, f64) = (3.0, 1.0);

/// Alarms of each function, and more of each that reads topics.
const ALARMS: (f64, f64) = (2.0, 2.0);

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

/// What a run on AWS costs, item by item; with pollers on demand and provisioned, where there are any.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderflow cost --hours 4\n  orderflow cost food --hours 730")]
pub(crate) struct Args {
    /// What is deployed.
    #[arg(value_enum, default_value_t)]
    system: System,
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
    alarm_month: f64,
    dashboard_month: f64,
    metric_month: f64,
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

impl Item {
    /// What costs the same with whatever pollers.
    fn of(what: String, cost: f64) -> Self {
        Self { what, costs: (cost, cost) }
    }
}

/// Prints the bill for so many hours, and what a month costs if nobody destroys it.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let prices: Prices = serde_json::from_str(PRICES).map_err(Error::failed)?;
    let items = bill(args.system, topology, &prices, f64::from(args.hours))?;
    let month = total(&bill(args.system, topology, &prices, MONTH_HOURS)?);
    let bill = Bill { system: args.system, hours: args.hours, items, month };
    print(&match args.format {
        Format::Text => bill.text(&prices),
        Format::Json => format!("{:#}\n", bill.document(&prices)),
    })?;
    Ok(Status::Holds)
}

/// What an hour of a deployment costs, in dollars.
///
/// # Errors
/// Where a price is missing.
pub(crate) fn an_hour(topology: &Topology, settings: &Settings) -> Result<f64, Error> {
    dollars(topology, settings, 1.0)
}

/// What a month of it costs.
///
/// # Errors
/// As [`an_hour`].
pub(crate) fn a_month(topology: &Topology, settings: &Settings) -> Result<f64, Error> {
    dollars(topology, settings, MONTH_HOURS)
}

fn dollars(topology: &Topology, settings: &Settings, hours: f64) -> Result<f64, Error> {
    let prices: Prices = serde_json::from_str(PRICES).map_err(Error::failed)?;
    let (on_demand, provisioned) = total(&bill(settings.system, topology, &prices, hours)?);
    let is_provisioned = settings.variables.get("poller_mode").is_some_and(|mode| mode == "provisioned");
    Ok(if is_provisioned { provisioned } else { on_demand })
}

fn bill(system: System, topology: &Topology, prices: &Prices, hours: f64) -> Result<Vec<Item>, Error> {
    let mut items = match system {
        System::Shop => of_hosts(&CLUSTER, prices, hours)?,
        System::Food => of_hosts(&FOOD, prices, hours)?,
    };
    if system == System::Shop {
        items.extend(of_functions(topology, prices, hours));
    }
    let cost = if hours > FREE_ZONE_HOURS { prices.hosted_zone_month * (hours / MONTH_HOURS).ceil() } else { 0.0 };
    items.push(Item::of("the private zone, free within its first 12 hours".to_owned(), cost));
    Ok(items)
}

fn of_hosts(all: &[Hosts], prices: &Prices, hours: f64) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let (mut hosts, mut disk_gib) = (0.0, 0.0);
    for (name, count, size, gib) in all {
        let no_price = || Error::Failed(format!("prices.json: no instance_hour of {size}"));
        let cost = count * prices.instance_hour.get(*size).ok_or_else(no_price)? * hours;
        items.push(Item::of(format!("{count} {name}, {size}"), cost));
        hosts += count;
        disk_gib += count * gib;
    }
    let cost = disk_gib * prices.volume_gib_month * hours / MONTH_HOURS;
    items.push(Item::of(format!("volumes, {disk_gib} GiB of gp3"), cost));
    items.push(Item::of(format!("public addresses, {hosts}"), hosts * prices.public_address_hour * hours));
    Ok(items)
}

fn of_functions(topology: &Topology, prices: &Prices, hours: f64) -> Vec<Item> {
    let months = hours / MONTH_HOURS;
    let endpoint = |count: f64| count * ZONES * prices.endpoint_zone_hour * hours;
    let (on_demand, provisioned) = ENDPOINTS;
    let mut items = vec![Item {
        what: format!("interface endpoints in {ZONES} zones: {on_demand}, or {provisioned}"),
        costs: (endpoint(on_demand), endpoint(provisioned)),
    }];

    let groups: Vec<_> = topology.groups().filter(|(service, _)| service.host == Host::Lambda).collect();
    let mappings = groups.len() as f64;
    items.push(Item {
        what: format!("pollers of {mappings} mappings, one each where they are provisioned"),
        costs: (0.0, mappings * prices.poller_hour * hours),
    });

    // At most one record an order in each topic, so one invocation a group.
    let orders = ORDERS_AN_HOUR * hours;
    let (mut invocations, mut gib_seconds) = (0.0, 0.0);
    let sources = topology.services().filter(|service| service.host == Host::Lambda && service.consumes.is_empty());
    for service in sources.chain(groups.iter().map(|(service, _)| *service)) {
        invocations += orders;
        gib_seconds += orders * INVOCATION_S * f64::from(service.memory_mib) / 1_024.0;
    }
    let cost = invocations / 1e6 * prices.million_invocations + gib_seconds * prices.function_gib_second;
    items.push(Item::of(format!("{invocations:.0} invocations of {INVOCATION_S} s for {orders:.0} orders"), cost));
    let cost = orders / 1e6 * prices.million_scheduled;
    items.push(Item::of(format!("{orders:.0} events of the schedule"), cost));
    items.push(Item::of("logs".to_owned(), invocations * LOG_BYTES / GIB * prices.log_gib));

    let mut readers: Vec<&str> = groups.iter().map(|(service, _)| service.name.as_str()).collect();
    readers.dedup();
    let (of_each, of_readers) = ALARMS;
    let readers = readers.len() as f64;
    let alarms = of_each * package::functions(topology).len() as f64 + of_readers * readers;
    items.push(Item::of(format!("{alarms} alarms"), alarms * prices.alarm_month * months));
    items.push(Item::of("the dashboard".to_owned(), prices.dashboard_month * months));
    let cost = readers * prices.metric_month * months;
    items.push(Item::of(format!("counts of dead letters, {readers} at most"), cost));

    let users = topology.services().filter(|service| service.host == Host::Lambda).count() as f64;
    let cost = (users + 1.0) * prices.secret_month * months;
    items.push(Item::of(format!("{} secrets: a user each, and the CA", users + 1.0), cost));
    let cost = invocations * RECORD_BYTES * HOPS / GIB * prices.traffic_gib;
    items.push(Item::of("traffic between zones".to_owned(), cost));
    let cost = (users + 1.0) * ZIP_BYTES / GIB * prices.bucket_gib_month * months;
    items.push(Item::of("the bucket with the zips".to_owned(), cost));
    items
}

fn total(items: &[Item]) -> (f64, f64) {
    items.iter().fold((0.0, 0.0), |sum, item| (sum.0 + item.costs.0, sum.1 + item.costs.1))
}

/// What so many hours of a system cost.
struct Bill {
    system: System,
    hours: u32,
    items: Vec<Item>,
    /// What a month costs.
    month: (f64, f64),
}

impl Bill {
    fn text(&self, prices: &Prices) -> String {
        let mut text = String::new();
        let mut row = |what: &str, (on_demand, provisioned): (&str, &str)| {
            let _ = match self.system {
                System::Shop => writeln!(text, "{what:<60} {on_demand:>12} {provisioned:>12}"),
                System::Food => writeln!(text, "{what:<60} {on_demand:>12}"),
            }; // a String takes all
        };
        let dollars = |cost: f64| match cost {
            cost if cost > 0.0 && cost < 0.005 => "under 0.01".to_owned(),
            cost => format!("{cost:.2}"),
        };
        row(&format!("{} HOURS, US DOLLARS", self.hours), ("ON DEMAND", "PROVISIONED"));
        let sums = [("in all", total(&self.items)), ("a month, if nobody destroys it", self.month)];
        for (what, costs) in self.items.iter().map(|item| (item.what.as_str(), item.costs)).chain(sums) {
            row(what, (&dollars(costs.0), &dollars(costs.1)));
        }
        let Prices { region, as_of, sources, .. } = prices;
        let _ = writeln!(
            text,
            "\nList prices of {region} as of {as_of}, without free tiers and taxes; look at {} and the other pages in prices.json before you rely on them.",
            sources.first().map_or("", String::as_str)
        );
        text
    }

    fn document(&self, prices: &Prices) -> Value {
        let costs = |(on_demand, provisioned): (f64, f64)| match self.system {
            System::Shop => json!({"on_demand": on_demand, "provisioned": provisioned}),
            System::Food => json!({"on_demand": on_demand}),
        };
        let lines: Vec<Value> =
            self.items.iter().map(|item| json!({"item": item.what, "dollars": costs(item.costs)})).collect();
        json!({
            "hours": self.hours, "region": prices.region, "as_of": prices.as_of, "sources": prices.sources,
            "items": lines, "total": costs(total(&self.items)), "month": costs(self.month),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill_of(system: System, hours: f64) -> Vec<Item> {
        bill(system, &Topology::built_in().unwrap(), &serde_json::from_str(PRICES).unwrap(), hours).unwrap()
    }

    #[track_caller]
    fn costs(items: &[Item], what: &str, expected: (f64, f64)) {
        let item = items.iter().find(|item| item.what.contains(what)).unwrap();
        let is_near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(is_near(item.costs.0, expected.0) && is_near(item.costs.1, expected.1), "{item:?}");
    }

    const OF_CLUSTER: &str = include_str!("../../../terraform/cluster/variables.tf");
    const OF_FOOD: &str = include_str!("../../../terraform/food/variables.tf");

    /// The default of a variable of a root.
    fn default_of(text: &str, variable: &str) -> String {
        let (_, rest) = text.split_once(&format!("variable \"{variable}\"")).unwrap();
        let line = rest.lines().find_map(|line| line.trim().strip_prefix("default")).unwrap();
        line.trim_matches([' ', '=', '"']).to_owned()
    }

    #[test]
    fn hosts_are_those_that_terraform_makes_by_default() {
        let ([zookeeper, broker, console], [food]) = (CLUSTER, FOOD);
        for (root, host, size, gib) in [
            (OF_CLUSTER, zookeeper, "instance_type", "volume_gib"),
            (OF_CLUSTER, broker, "instance_type", "volume_gib"),
            (OF_CLUSTER, console, "console_instance_type", "console_volume_gib"),
            (OF_FOOD, food, "instance_type", "volume_gib"),
        ] {
            let (_, _, found_size, found_gib) = host;
            assert_eq!((found_size.to_owned(), found_gib.to_string()), (default_of(root, size), default_of(root, gib)));
        }
        let prices: Prices = serde_json::from_str(PRICES).unwrap();
        assert_eq!(
            (&prices.region, &prices.region),
            (&default_of(OF_CLUSTER, "region"), &default_of(OF_FOOD, "region"))
        );
    }

    #[test]
    fn alarms_are_those_that_terraform_makes() {
        let of = |functions: &str| {
            let is_such =
                |line: &&str| line.trim().strip_prefix("functions").is_some_and(|rest| rest.ends_with(functions));
            include_str!("../../../terraform/services/alarms.tf").lines().filter(is_such).count() as f64
        };
        assert_eq!((of("= local.function_names"), of("= local.consumers")), ALARMS);
    }

    #[test]
    fn four_hours_cost_what_their_hours_cost() {
        let items = bill_of(System::Shop, 4.0);
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
        let items = bill_of(System::Shop, MONTH_HOURS);
        costs(&items, "volumes, 128 GiB", (128.0 * 0.08, 128.0 * 0.08));
        costs(&items, "6 secrets", (6.0 * 0.4, 6.0 * 0.4));
        costs(&items, "private zone", (0.5, 0.5));
        costs(&items, "20 alarms", (20.0 * 0.1, 20.0 * 0.1));
        costs(&items, "dashboard", (3.0, 3.0));
        costs(&items, "dead letters, 4 at most", (4.0 * 0.3, 4.0 * 0.3));
    }

    #[test]
    fn the_host_of_the_food_orders_costs_itself_its_disk_its_address_and_its_zone() {
        let items = bill_of(System::Food, MONTH_HOURS);
        let expected = [0.023 * 730.0, 32.0 * 0.08, 0.005 * 730.0, 0.5];
        assert_eq!(items.iter().map(|item| item.costs.0).collect::<Vec<_>>(), expected, "{items:?}");
        let prices: Prices = serde_json::from_str(PRICES).unwrap();
        let bill = Bill { system: System::Food, hours: 730, month: total(&items), items };
        assert!(bill.text(&prices).lines().next().unwrap().ends_with(" ON DEMAND"), "nothing is provisioned");
        assert_eq!(bill.document(&prices)["total"], json!({"on_demand": expected.iter().sum::<f64>()}));
    }

    #[test]
    fn the_bill_adds_up_in_both_forms() {
        let items =
            vec![Item { what: "one".into(), costs: (1.0, 2.0) }, Item { what: "another".into(), costs: (0.001, 0.0) }];
        let prices: Prices = serde_json::from_str(PRICES).unwrap();
        let bill = Bill { system: System::Shop, hours: 4, items, month: (10.0, 20.0) };
        let text = bill.text(&prices);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(rows[0], ["4 HOURS, US DOLLARS", "ON DEMAND", "PROVISIONED"]);
        assert_eq!(rows[2], ["another", "under 0.01", "0.00"]);
        assert_eq!(rows[3], ["in all", "1.00", "2.00"]);
        assert_eq!(rows[4], ["a month, if nobody destroys it", "10.00", "20.00"]);
        let document = bill.document(&prices);
        assert_eq!(document["total"], json!({"on_demand": 1.001, "provisioned": 2.0}));
        assert_eq!(document["month"]["provisioned"], 20.0);
    }
}
