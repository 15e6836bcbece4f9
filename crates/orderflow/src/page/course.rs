use maud::{Markup, html};

use super::axis::{Axis, number, unit_of_time};
use super::plot::{Plot, percent};

/// Lines over time.
pub(crate) struct Course {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// Where the time ends, in seconds.
    pub(crate) end_s: f64,
    pub(crate) is_logarithmic: bool,
    pub(crate) lines: Vec<Line>,
    /// When something went other than hoped, in seconds: marked from top to bottom.
    pub(crate) strikes: Vec<f64>,
    /// What it shows, for who does not see it.
    pub(crate) in_words: String,
}

/// One of them.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) stroke: Stroke,
    /// Seconds and values; a gap where there is none.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// How a line is told from others, also without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// Thick, with its area filled where the axis begins at zero.
    Main,
    /// Dashed.
    Beside,
}

impl Stroke {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Beside => "beside",
        }
    }
}

impl Course {
    const HEIGHT: f64 = 180.0;

    pub(super) fn markup(&self) -> Markup {
        let values = || self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
        let most = values().fold(0.0, f64::max);
        let y = match self.is_logarithmic {
            true => {
                Axis::logarithmic(values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min).min(most), most)
            }
            false => Axis::from_zero(most),
        };
        let (a_second, unit) = unit_of_time(self.end_s);
        let time = Axis::to(self.end_s * a_second);
        let plot = Plot { height: Self::HEIGHT, x: time, x_unit: unit, y, in_words: &self.in_words };
        let caption = html! {
            b { (self.title) } ", " (self.unit)
            @for line in &self.lines {
                span.key { svg.swatch width="22" height="8" aria-hidden="true" { line.(line.stroke.class()) x1="0" y1="4" x2="22" y2="4" {} } (line.name) }
            }
        };
        plot.figure(&caption, &html! {
            @for strike in &self.strikes {
                @let x = percent(time.place(strike * a_second));
                line.strike x1=(x) x2=(x) y1="0" y2=(Self::HEIGHT) {}
            }
            @for line in &self.lines {
                (plot.line(&line.points.iter().map(|(at, value)| (at * a_second, *value)).collect::<Vec<_>>(), line.stroke, !self.is_logarithmic))
            }
            (self.tips(time, a_second, unit))
        })
    }

    /// What a pointer that rests on a moment is told.
    fn tips(&self, time: Axis, a_second: f64, unit: &str) -> Markup {
        let moments: Vec<f64> =
            self.lines.first().map_or_else(Vec::new, |line| line.points.iter().map(|point| point.0).collect());
        let width = 1.0 / moments.len().max(1) as f64;
        html! {
            @for (index, at) in moments.iter().enumerate() {
                rect.tip x=(percent((time.place(at * a_second) - width / 2.0).max(0.0))) width=(percent(width)) y="0" height=(Self::HEIGHT) {
                    title {
                        (number(at * a_second)) " " (unit)
                        @for line in &self.lines {
                            @if let Some((_, Some(value))) = line.points.get(index) { ", " (line.name) " " (number(*value)) }
                        }
                    }
                }
            }
        }
    }
}
