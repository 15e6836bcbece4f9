use std::thread;
use std::time::{Duration, Instant};

use kafka_transport::MAX_OPEN_BATCHES;
use rand::RngExt;

use super::scene::{CALM, Scene, TOPOLOGY};
use super::workers::Worker;
use super::{Error, RATE, Row, System, Target};

/// A row of the matrix.
pub struct Case {
    /// What happens.
    pub name: &'static str,
    /// The name that each worker keeps, where it comes back: without one the group waits for the end of its old session.
    pub(crate) instance: Option<&'static str>,
    /// Whether the workers are there before the first order.
    pub(crate) starts_with_workers: bool,
    play: fn(&mut Scene<'_>) -> Result<(), Error>,
}

const FIRST: &str = "first";
const SECOND: &str = "second";

/// What breaks and is whole again soon, in the order in which it is tried. Those with names come last: who follows them waits for
/// the end of their sessions.
pub const CASES: [Case; 4] = [
    Case { name: "broker killed", instance: None, starts_with_workers: true, play: broker_killed },
    Case { name: "all brokers down for 10 s", instance: None, starts_with_workers: true, play: all_brokers_down },
    Case { name: "clients cut off from a broker", instance: None, starts_with_workers: true, play: clients_cut_off },
    Case { name: "worker killed", instance: Some(FIRST), starts_with_workers: true, play: worker_killed },
];

/// The rest of the matrix: what takes longer, and what `inject` on Kafka and a full window on the embedded cluster show, too.
pub const LONG_CASES: [Case; 5] = [
    Case { name: "records corrupted", instance: None, starts_with_workers: true, play: records_corrupted },
    Case { name: "in-flight window full", instance: None, starts_with_workers: false, play: window_full },
    Case { name: "leaders moved", instance: None, starts_with_workers: true, play: leaders_moved },
    Case { name: "broker frozen for 20 s", instance: None, starts_with_workers: true, play: broker_frozen },
    Case {
        name: "members joining and leaving",
        instance: Some(FIRST),
        starts_with_workers: true,
        play: members_joining_and_leaving,
    },
];

impl Case {
    /// Plays it: the workers start, orders flow, faults strike, everything comes to its end, the audit judges. `seed` decides
    /// when and whom the faults strike.
    ///
    /// # Errors
    /// What could not be played; that something was lost is no error but a row that does not hold.
    pub fn play(&self, target: &dyn Target, system: &System<'_>, seed: u64) -> Result<Row, Error> {
        let mut scene = Scene::set(target, system, self, seed)?;
        let pauses = scene.watch()?;
        (self.play)(&mut scene)?;
        scene.wait(CALM)?;
        scene.end(self.name, pauses)
    }
}

fn broker_killed(scene: &mut Scene<'_>) -> Result<(), Error> {
    scene.begin()?;
    let broker = scene.any_broker();
    scene.target.kill(broker)?;
    scene.count(1);
    // Until its session is over and others lead its partitions.
    scene.wait(Duration::from_secs(9))?;
    scene.target.restart(broker)?;
    Ok(scene.target.await_ready()?)
}

fn leaders_moved(scene: &mut Scene<'_>) -> Result<(), Error> {
    scene.begin()?;
    for broker in scene.target.brokers() {
        scene.target.stop(broker)?;
        scene.target.restart(broker)?;
        scene.target.await_ready()?;
        scene.count(1);
        // Until it has caught up, or the next one would leave too few in sync.
        scene.wait(Duration::from_secs(3))?;
    }
    Ok(())
}

fn broker_frozen(scene: &mut Scene<'_>) -> Result<(), Error> {
    scene.begin()?;
    let broker = scene.any_broker();
    scene.target.freeze(broker)?;
    scene.count(1);
    scene.wait(Duration::from_secs(20))?;
    Ok(scene.target.thaw(broker)?)
}

fn all_brokers_down(scene: &mut Scene<'_>) -> Result<(), Error> {
    scene.begin()?;
    let brokers = scene.target.brokers();
    brokers.iter().try_for_each(|&broker| scene.target.kill(broker))?;
    scene.count(1);
    scene.wait(Duration::from_secs(10))?;
    brokers.iter().try_for_each(|&broker| scene.target.restart(broker))?;
    Ok(scene.target.await_ready()?)
}

fn worker_killed(scene: &mut Scene<'_>) -> Result<(), Error> {
    const KILLS: u32 = 20;
    scene.begin()?;
    for _ in 0..KILLS {
        let mut services: Vec<String> = scene.workers.keys().cloned().collect();
        let service = services.swap_remove(scene.random.random_range(0..services.len()));
        let moment = scene.moment(100..500);
        scene.wait(moment)?;
        if let Some(mut worker) = scene.workers.remove(&service) {
            worker.kill()?;
        }
        scene.count(1);
        let worker = scene.worker(&service, Some(FIRST))?;
        scene.workers.insert(service, worker);
    }
    scene.await_workers()
}

/// One more member of each service's groups at once, round after round. It keeps its name, so that its groups wait for it between
/// two rounds; after the last, until its session is over.
fn members_joining_and_leaving(scene: &mut Scene<'_>) -> Result<(), Error> {
    const TIMES: usize = 10;
    scene.begin()?;
    let services: Vec<String> = scene.workers.keys().cloned().collect();
    let mut left = TIMES;
    while left > 0 {
        let joining = services.len().min(left);
        left -= joining;
        let second = |service: &String| scene.worker(service, Some(SECOND));
        let mut seconds: Vec<Worker> = services.iter().take(joining).map(second).collect::<Result<_, _>>()?;
        seconds.iter_mut().try_for_each(Worker::await_ready)?;
        let moment = scene.moment(100..900);
        scene.wait(moment)?;
        Worker::stop(seconds.iter_mut())?;
        scene.count(joining as u32);
    }
    Ok(())
}

fn clients_cut_off(scene: &mut Scene<'_>) -> Result<(), Error> {
    scene.begin()?;
    let broker = scene.any_broker();
    scene.target.cut(broker)?;
    scene.count(1);
    scene.wait(Duration::from_secs(10))?;
    Ok(scene.target.heal(broker)?)
}

fn records_corrupted(scene: &mut Scene<'_>) -> Result<(), Error> {
    const ONE_IN: u64 = 100;
    scene.publish_at(RATE, |n, mut order| {
        if n % ONE_IN == ONE_IN - 1 {
            match n / ONE_IN % 4 {
                0 => order.value.truncate(order.value.len() / 2),
                1 => order.value.insert(order.value.len() / 2, 0xFF),
                2 => order.value.clear(),
                _ => order.value = b"[42]".to_vec(),
            }
        }
        order
    })?;
    scene.wait(Duration::from_secs(10))?;
    let corrupted = scene.enough()? / ONE_IN;
    scene.count(u32::try_from(corrupted).unwrap_or(u32::MAX));
    Ok(())
}

/// All brokers stand still while workers have a backlog: what they have fetched fills their window of unconfirmed batches, which
/// are small so that it does. It is over before their sessions are.
fn window_full(scene: &mut Scene<'_>) -> Result<(), Error> {
    const BACKLOG: u64 = 20_000;
    const BATCH: u32 = 10;
    const FROZEN: Duration = Duration::from_secs(4);
    scene.publish_at(25 * RATE, |_, order| order)?;
    while scene.published() < BACKLOG {
        scene.wait(Duration::from_millis(10))?;
    }
    scene.enough()?;
    let folder = scene.with_batches_of(BATCH)?;
    scene.start_workers(None, Some(&folder.path().join(TOPOLOGY)))?;
    let started = Instant::now();
    while fullest(scene) == 0 && started.elapsed() < Duration::from_secs(30) {
        scene.wait(Duration::from_millis(2))?;
    }
    let brokers = scene.target.brokers();
    brokers.iter().try_for_each(|&broker| scene.target.freeze(broker))?;
    let (frozen, mut most) = (Instant::now(), 0);
    while frozen.elapsed() < FROZEN {
        most = most.max(fullest(scene));
        thread::sleep(Duration::from_millis(50));
    }
    brokers.iter().try_for_each(|&broker| scene.target.thaw(broker))?;
    scene.count(u32::from(most >= MAX_OPEN_BATCHES as u64));
    Ok(())
}

/// How many batches the worker that has most of them has unconfirmed.
fn fullest(scene: &Scene<'_>) -> u64 {
    scene.workers.values().filter_map(|worker| worker.gauge("orderflow_open_batches")).max().unwrap_or(0)
}
