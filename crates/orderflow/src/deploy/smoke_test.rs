use std::time::{Duration, Instant};

use serde_json::json;
use shop::order_generator;

use super::Deploy;
use crate::deployment::System;
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, console, lambda, tell};

mod food; // of the food orders

/// How long one order may take through everything, cold starts included; and one look of the audit.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_S: u64 = 20;

/// A cold function whose brokers are far away may answer late.
const ATTEMPTS: usize = 3;

impl Deploy<'_> {
    /// Has one order placed, and finds it again at its end, by its id.
    pub(super) fn smoke_test(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        match self.system() {
            _ if self.args.plan => Ok(Done::unchanged("nothing to show")),
            System::Shop => self.smoke_test_of_shop(tools),
            System::Food => self.smoke_test_of_food(tools),
        }
    }

    fn smoke_test_of_shop(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let (run, order) = self.place_order(tools)?;
        tools.note(&format!("order {order} is placed, as run {run}"))?;
        let begun = Instant::now();
        loop {
            let audited = console::audit(&self.deployment, &run, LOOK_S)?;
            if console::passed(&audited) && console::orders(&self.deployment, &run)? == [order.as_str()] {
                let end = if audited["outcomes"]["shipped"] == 1 { "was paid and shipped" } else { "was declined" };
                return Ok(Done::unchanged(format!(
                    "order {order} {end}, {:.0} s after it was placed",
                    begun.elapsed().as_secs_f64()
                )));
            }
            if begun.elapsed() > PATIENCE || console::is_final(&audited) {
                return Err(Error::Failed(format!(
                    "order {order} has not reached its end: {}; the functions' logs show why (`aws logs filter-log-events --log-group-name /aws/lambda/FUNCTION`), lag by group: {}",
                    audited["audit"], audited["lag"]
                ))
                .into());
            }
            tools.interruptions().pause(Duration::from_secs(1))?;
        }
    }

    fn place_order(&self, tools: &mut Tools<'_>) -> Result<(String, String), Stop> {
        let mut failure = Error::Failed(String::new());
        for _ in 0..ATTEMPTS {
            tools.interruptions().check()?;
            let run = format!("smoke-{}", uuid::Uuid::now_v7());
            let payload = json!({"orders": 1, "run": run});
            match lambda::invoke_on_aws(self.region(), order_generator::NAME, &payload) {
                Ok(answer) => {
                    let order = answer["first"].as_str().unwrap_or_default().to_owned();
                    return Ok((run, order));
                }
                Err(error) => {
                    tell(&error.to_string());
                    failure = error;
                }
            }
        }
        Err(failure.into())
    }
}
