use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{Axis, number};
use super::course::Stroke;

/// A frame of two axes. Whatever its width, its text keeps its size: places across are percentages, and only shapes are stretched.
pub(super) struct Plot<'a> {
    /// In pixels.
    pub(super) height: f64,
    pub(super) x: Axis,
    pub(super) x_unit: &'a str,
    pub(super) y: Axis,
    /// What it shows, for who does not see it.
    pub(super) in_words: &'a str,
}

/// Across, of a shape that is stretched.
const WIDTH: f64 = 1_000.0;

impl Plot<'_> {
    /// What is drawn on the frame, with a line above it.
    pub(super) fn figure(&self, caption: &Markup, drawn: &Markup) -> Markup {
        let ticks = self.x.ticks(5);
        html! {
            figure {
                figcaption { (caption) }
                div.plot {
                    svg width="100%" height=(self.height + 26.0) role="img" aria-label=(self.in_words) {
                        @for tick in self.y.ticks(4) {
                            @let y = self.y_of(tick);
                            line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                            text.y x="-8" y=(y) dy=".32em" { (number(tick)) }
                        }
                        (drawn)
                        line.axis x1="0" x2="100%" y1=(self.height) y2=(self.height) {}
                        @for (index, tick) in ticks.iter().enumerate() {
                            @let x = percent(self.x.place(*tick));
                            line.axis x1=(x) x2=(x) y1=(self.height) y2=(self.height + 4.0) {}
                            text.x x=(x) y=(self.height + 19.0) {
                                (number(*tick)) @if index + 1 == ticks.len() { " " (self.x_unit) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A line through points, with gaps where there is no value.
    pub(super) fn line(&self, points: &[(f64, Option<f64>)], stroke: Stroke, is_filled: bool) -> Markup {
        let (mut line, mut dots, mut area) = (String::new(), String::new(), String::new());
        for run in points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty()) {
            let place = |(x, value): &(f64, Option<f64>)| {
                format!("{:.1} {:.1}", WIDTH * self.x.place(*x), self.y_of(value.unwrap_or_default()))
            };
            let places = run.iter().map(place).collect::<Vec<_>>().join("L");
            let [first, last] =
                [run.first(), run.last()].map(|point| WIDTH * self.x.place(point.map_or(0.0, |point| point.0)));
            // A point that stands alone is a line of no length, which round ends make a dot.
            let _ = write!(if run.len() == 1 { &mut dots } else { &mut line }, "M{places}h0");
            let _ = write!(area, "M{first:.1} {0}L{places}L{last:.1} {0}Z", self.height);
        }
        let is_filled = is_filled && stroke == Stroke::Main;
        self.stretched(&html! {
            @if is_filled { path.area d=(area) {} }
            @if !line.is_empty() { path.(stroke.class()) d=(line) {} }
            @if !dots.is_empty() { path.dots.(stroke.class()) d=(dots) {} }
        })
    }

    /// Shapes in [`WIDTH`] units across.
    pub(super) fn stretched(&self, shapes: &Markup) -> Markup {
        html! {
            svg x="0" y="0" width="100%" height=(self.height) preserveAspectRatio="none" viewBox=(format!("0 0 {WIDTH} {}", self.height)) {
                (shapes)
            }
        }
    }

    /// A shape from the bottom up to a value, between two others.
    pub(super) fn bar(&self, from: f64, to: f64, value: f64) -> String {
        let (from, to) = (WIDTH * self.x.place(from), WIDTH * self.x.place(to));
        format!("M{from:.2} {0}V{1:.1}H{to:.2}V{0}Z", self.height, self.y_of(value))
    }

    fn y_of(&self, value: f64) -> f64 {
        // Half a pixel of a line at the top is within.
        (self.height * (1.0 - self.y.place(value))).max(1.0)
    }
}

/// A place between two ends, as an attribute.
pub(super) fn percent(place: f64) -> String {
    format!("{:.2}%", 100.0 * place)
}
