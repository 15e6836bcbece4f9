use std::io::{BufRead, BufReader};
use std::process::Child;

use events::Timestamp;
use kafka_cluster::{Cluster, Node};
use messaging::Outgoing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use shop::order_generator::generate_order_event;
use tempfile::TempDir;

use crate::browser::{Browser, Scheme};
use crate::worker::Worker;
use crate::{on, start, until, write_orders};

const REST: &str = "inventory_manager shipping_handler notification_handler";

/// `orderflow monitor` that shows its page, and nothing on a terminal.
struct Shown {
    monitor: Child,
    _folder: TempDir,
    address: String,
}

impl Shown {
    fn of(cluster: &Cluster) -> Self {
        let (mut monitor, folder) = on(cluster, "monitor --listen 127.0.0.1:0 --interval 250ms").start();
        let mut lines = BufReader::new(monitor.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.strip_prefix("live at ")?.to_owned())).unwrap();
        Self { monitor, _folder: folder, address }
    }

    /// Ends it as a person does.
    fn end(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.monitor.id().cast_signed()), Signal::SIGINT).unwrap();
        self.monitor.wait().unwrap().code()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.monitor.kill(); // one that has ended is not there to be killed
        let _ = self.monitor.wait();
    }
}

fn open_letters(cluster: &Cluster) -> u64 {
    let listed = on(cluster, "dead-letters list --format json").end().with_status(0).document();
    listed["count"].as_u64().unwrap()
}

/// What stands in the column of a number, of the row that begins with this.
fn number(table: &str, begin: &str, column: usize) -> Option<f64> {
    let row = table.lines().find(|line| line.starts_with(begin))?;
    row.split('\t').nth(column)?.trim().replace(',', "").parse().ok()
}

#[test]
fn orders_are_seen_to_flow_and_what_was_given_up_is_redriven_by_a_click() {
    let cluster = start();
    let faulty = Worker::start(on(&cluster, "work payment_processor --reject 20%"));
    let rest = Worker::start(on(&cluster, &format!("work {REST}")));
    let orders = Worker::start(on(&cluster, "work order_generator --rate 50 --seed 7"));
    let shown = Shown::of(&cluster);
    let browser = Browser::start(Scheme::Light);
    browser.open(&shown.address);
    let figure = |name: &str| format!("[data-figure='{name}']");
    browser.await_text("#standing", |text| text.starts_with("1 broker at ") && text.ends_with(" answers"));
    browser.await_text(&figure("records a second"), |text| text.parse::<f64>().is_ok_and(|rate| rate > 50.0));
    browser.await_text("#picture-of-flow", |text| text.contains("payment_processor") && text.contains("/s"));
    let moving = "return document.querySelectorAll('path.moves[style*=visible]').length";
    assert!(browser.look(moving).as_u64() >= Some(5), "the shop's records move");
    browser.picture("flow.png");

    browser.click("nav a[href='#topics']");
    let written = |browser: &Browser| number(&browser.text("#topics-table"), "order_placed\t", 2);
    browser.await_text("#topics-table", |table| number(table, "order_placed\t", 2).is_some());
    let before = written(&browser).unwrap();
    browser.await_text("#topics-table", |table| number(table, "order_placed\t", 2) > Some(before + 50.0));
    browser.click("nav a[href='#groups']");
    browser.await_text("#groups-table", |table| number(table, "payment_processor\t", 3) > Some(10.0));

    browser.click("nav a[href='#orders']");
    browser.await_text("#orders-said", |text| text.starts_with("50 orders"));
    browser.click("#orders-table tbody tr:nth-child(1) button");
    browser.await_text("#journey", |text| text.contains("order_placed-"));

    orders.terminate().with_status(0);
    let open = open_letters(&cluster);
    assert!(open > 1);
    browser.click("nav a[href='#dead-letters']");
    browser
        .await_text("#letters-said", |text| text == format!("{open} dead letters open") || text.contains("are shown"));
    browser.picture("dead-letters.png");
    faulty.terminate().with_status(0);
    let mended = Worker::start(on(&cluster, "work payment_processor"));

    let id = browser.text("#letters-table tbody tr:nth-child(1) td:nth-child(2)");
    browser.click("#letters-table tbody tr:nth-child(1) button");
    browser.await_text("#letters-said", |text| text.starts_with("1 dead letter redriven. "));
    assert_eq!(open_letters(&cluster), open - 1);
    browser.await_text("#letters-table", |table| !table.contains(&id));

    browser.click("#reasons-table tbody tr:nth-child(1) button");
    browser.await_text("#sure-of", |text| text.contains(" that payment_processor gave up because of "));
    browser.click("#sure button[value='no']");
    assert_eq!(open_letters(&cluster), open - 1, "somebody has thought better of it");
    browser.click("#reasons-table tbody tr:nth-child(1) button");
    browser.click("#sure button[value='yes']");
    browser.await_text("#letters-said", |text| text.ends_with(" redriven. No dead letter is open."));
    assert_eq!(open_letters(&cluster), 0);

    browser.click("nav a[href='#orders']");
    let find =
        format!("document.getElementById('order-id').value = {id:?}; document.getElementById('find').requestSubmit()");
    browser.look(&find);
    browser
        .await_text("#journey", |text| text.contains(&id) && text.contains("dead letter") && text.contains("redriven"));
    browser.await_text("#journey-end", |text| {
        let is_read = !browser.text("#orders-said").starts_with("Reading");
        if is_read && text != "ended" {
            browser.look(&find); // a service may still have had something to do
        }
        is_read && text == "ended"
    });
    browser.picture("order.png");
    mended.terminate().with_status(0);
    rest.terminate().with_status(0);
    assert_eq!(shown.end(), Some(130));
}

#[test]
fn a_cluster_that_goes_and_comes_is_told_and_what_others_have_written_is_text() {
    let cluster = start();
    let order = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 0));
    let value = String::from_utf8(order.value.clone()).unwrap();
    let with_total = |total: &str| {
        let value = value.replacen("\"total\":", &format!("\"total\":{total},\"x\":"), 1);
        Outgoing { value: value.into_bytes(), ..order.clone() }
    };
    let hostile = "<img src=x onerror=\\\"document.title='taken'\\\"><script>document.title='taken'</script>";
    let key = b"<b onmouseover=alert(1)>id</b>".to_vec();
    let strange = Outgoing { key, value: format!("{{\"order_id\":\"{hostile}\"}}").into_bytes(), ..order.clone() };
    write_orders(
        &cluster,
        &[strange, with_total(&format!("\"{hostile}\"")), with_total(&format!("\"{}\"", "x".repeat(900_000)))],
    );
    let worker = Worker::start(on(&cluster, "work payment_processor"));
    until("all three are given up", || open_letters(&cluster) == 3);
    worker.terminate().with_status(0);

    let shown = Shown::of(&cluster);
    let browser = Browser::start(Scheme::Light);
    browser.open(&format!("{}/#dead-letters", shown.address));
    browser.await_text("#letters-said", |text| text == "3 dead letters open");
    browser.await_text("#letters-table", |table| table.contains("<img src=x onerror="));
    let foreign = "return document.querySelectorAll('img, b, main script').length - document.querySelectorAll('#figures b, figcaption b').length";
    assert_eq!(browser.look(foreign), 0);
    assert_eq!(browser.look("return document.title"), "orderflow live");
    assert!(browser.text("body").len() < 20_000, "a long one is shortened");

    cluster.freeze(Node::Broker(1)).unwrap();
    browser.await_text("#standing", |text| text.starts_with("AWAY: "));
    cluster.thaw(Node::Broker(1)).unwrap();
    browser.await_text("#standing", |text| text.ends_with(" answers"));
    drop(shown);
    browser.await_text("#standing", |text| text.starts_with("orderflow does not answer"));
}

/// Texts whose contrast with what is behind them is below 4.5, or 3 where they are large (WCAG 2.2, 1.4.3).
const TOO_FAINT: &str = "
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const behind = one => {
        for (; one; one = one.parentElement) {
            const colour = channels(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
    let seen = 0;
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !one.checkVisibility() || ['SCRIPT', 'OPTION'].includes(one.tagName)) continue;
        const style = getComputedStyle(one), isDrawn = one instanceof SVGElement;
        const front = light(channels(isDrawn ? style.fill : style.color));
        const back = light(isDrawn ? channels(getComputedStyle(one.ownerSVGElement.querySelector('rect')).fill) : behind(one));
        const contrast = (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
        seen += 1;
        if (contrast < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) faint.push(`${walker.currentNode.data}: ${contrast.toFixed(2)}`);
    }
    return seen < 20 ? ['only ' + seen + ' texts'] : faint;";

#[test]
fn it_is_read_on_a_phone_by_keys_alone_and_in_light_and_dark() {
    let cluster = start();
    on(&cluster, "work order_generator --orders 50 --rate 1000 --seed 7").end().with_status(0);
    let faulty = Worker::start(on(&cluster, "work payment_processor --reject 50%"));
    until("some are given up", || open_letters(&cluster) > 5);
    faulty.terminate().with_status(0);
    let shown = Shown::of(&cluster);
    for scheme in [Scheme::Light, Scheme::Dark] {
        let browser = Browser::start(scheme);
        browser.resize(390, 844);
        browser.open(&shown.address);
        browser.await_text("#standing", |text| text.ends_with(" answers"));
        for view in ["flow", "groups", "topics", "orders", "dead-letters"] {
            browser.click(&format!("nav a[href='#{view}']"));
            match view {
                "orders" => browser.await_text("#orders-said", |text| text.starts_with("50 orders")),
                "dead-letters" => browser.await_text("#letters-said", |text| text.contains("dead letters open")),
                _ => {}
            }
            let sideways =
                browser.look("const page = document.scrollingElement; return page.scrollWidth - page.clientWidth");
            assert_eq!(sideways, 0, "{view} is wider than a phone");
            let faint = browser.look(TOO_FAINT);
            assert_eq!(faint, Value::Array(Vec::new()), "{view} in {scheme:?}");
            browser.picture(&format!("phone-{view}-{scheme:?}.png"));
        }
    }

    let browser = Browser::start(Scheme::Light);
    browser.open(&shown.address);
    browser.await_text("#standing", |text| text.ends_with(" answers"));
    let focused =
        || browser.look("const one = document.activeElement; return one.getAttribute('href') || one.id || one.tagName");
    let mut met = Vec::new();
    while focused() != "#dead-letters" && met.len() < 20 {
        browser.press("\u{e004}"); // Tab
        met.push(focused());
        let outline = browser.look("return getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(outline, "none", "{} is not seen to have the focus", focused());
    }
    assert_eq!(met.first(), Some(&"#main".into()), "{met:?}");
    assert_eq!(met.last(), Some(&"#dead-letters".into()), "{met:?}");
    browser.press("\u{e007}"); // Enter
    browser.await_text("#letters-said", |text| text.contains("dead letters open"));
    let within = "return document.activeElement.closest('#letters-table') !== null";
    for _ in 0..20 {
        if browser.look(within) == true {
            break;
        }
        browser.press("\u{e004}");
    }
    browser.press("\u{e007}");
    browser.await_text("#letters-said", |text| text.starts_with("1 dead letter redriven. "));
}
