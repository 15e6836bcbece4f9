use maud::{Markup, html};

use super::axis::{Axis, number, unit_of_time};
use super::plot::percent;
use crate::shown;

/// What went other than hoped, a row each on the axis of time.
pub(crate) struct Incidents {
    /// Where the time ends, in seconds.
    pub(crate) end_s: f64,
    pub(crate) rows: Vec<(String, Vec<Incident>)>,
}

pub(crate) struct Incident {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    pub(crate) what: String,
}

impl Incidents {
    /// When each happened.
    pub(crate) fn moments(&self) -> Vec<f64> {
        let incidents = self.rows.iter().flat_map(|(_, incidents)| incidents);
        incidents.map(|incident| f64::midpoint(incident.from_s, incident.to_s)).collect()
    }

    pub(super) fn markup(&self) -> Markup {
        let (a_second, unit) = unit_of_time(self.end_s);
        let time = Axis::to(self.end_s);
        let when = |incident: &Incident| {
            let [from, to] = [incident.from_s, incident.to_s].map(|at| number(at * a_second));
            if from == to { format!("{from} {unit}") } else { format!("{from} to {to} {unit}") }
        };
        html! {
            @for (name, incidents) in &self.rows {
                figure.incidents {
                    figcaption { b { (name) } ", " (first_and_last(incidents, when)) }
                    div.plot {
                        svg width="100%" height="16" role="img" aria-label=(format!("{name}: {}", first_and_last(incidents, when))) {
                            line.grid x1="0" x2="100%" y1="8" y2="8" {}
                            @for incident in incidents {
                                svg.incident x=(percent(time.place(f64::midpoint(incident.from_s, incident.to_s)))) y="8" {
                                    path d="M0 -6L5 0L0 6L-5 0Z" { title { (when(incident)) ": " (shown(&incident.what)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn first_and_last(incidents: &[Incident], when: impl Fn(&Incident) -> String) -> String {
    match incidents {
        [] => "never".into(),
        [one] => format!("{} at {}", shown(&one.what), when(one)),
        [first, .., last] => format!("at {} moments, from {} until {}", incidents.len(), when(first), when(last)),
    }
}
