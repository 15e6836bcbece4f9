use hdrhistogram::Histogram;
use maud::{Markup, html};

use super::axis::{Axis, number};
use super::plot::{Plot, percent};
use crate::grouped;

/// So many bars at most.
const BARS: usize = 60;

/// No bar is narrower than what the histogram tells apart, which is one in 128.
const NARROWEST: f64 = 1.025;

/// Of the bars, in pixels.
const HEIGHT: f64 = 190.0;

/// How many orders took how long, each bar wider by the same factor.
pub(crate) struct Spread {
    bars: Vec<Bar>,
    orders: u64,
    /// Those that are marked, by name, in milliseconds.
    marks: Vec<(&'static str, f64)>,
}

struct Bar {
    from_ms: f64,
    to_ms: f64,
    /// Not whole: what the histogram does not tell apart is divided between two bars.
    orders: f64,
}

impl Spread {
    /// Of a histogram of microseconds; `None` if it is empty.
    pub(crate) fn of(latency: &Histogram<u32>) -> Option<Self> {
        if latency.is_empty() {
            return None;
        }
        let least = latency.lowest_equivalent(latency.min()).max(1) as f64;
        let most = latency.next_non_equivalent(latency.max()) as f64;
        let factor = (most / least).powf(1.0 / BARS as f64).max(NARROWEST);
        let count = ((most / least).ln() / factor.ln()).ceil().max(1.0) as usize;
        let begin = |bar: usize| least * factor.powi(bar as i32);
        let mut bars: Vec<Bar> =
            (0..count).map(|bar| Bar { from_ms: begin(bar) / 1e3, to_ms: begin(bar + 1) / 1e3, orders: 0.0 }).collect();
        for step in latency.iter_recorded() {
            let value = step.value_iterated_to();
            let from = latency.lowest_equivalent(value) as f64 / 1e3;
            let to = latency.next_non_equivalent(value) as f64 / 1e3;
            for bar in bars.iter_mut().skip_while(|bar| bar.to_ms <= from).take_while(|bar| bar.from_ms < to) {
                let part = (bar.to_ms.min(to) - bar.from_ms.max(from)) / (to - from);
                bar.orders += part * f64::from(step.count_at_value());
            }
        }
        let marks = [("p50", 0.5), ("p99", 0.99)];
        let marks = marks.map(|(name, quantile)| (name, latency.value_at_quantile(quantile) as f64 / 1e3)).into();
        Some(Self { bars, orders: latency.len(), marks })
    }

    pub(super) fn markup(&self) -> Markup {
        let (Some(first), Some(last)) = (self.bars.first(), self.bars.last()) else { return html! {} };
        let in_words: Vec<String> = self.marks.iter().map(|(name, ms)| format!("{name} {} ms", number(*ms))).collect();
        let in_words = format!("Latency of {} orders: {}", grouped(self.orders), in_words.join(", "));
        let x = Axis::logarithmic(first.from_ms, last.to_ms);
        let most = self.bars.iter().map(|bar| bar.orders).fold(0.0, f64::max);
        let plot = Plot { height: HEIGHT, x, x_unit: "ms", y: Axis::from_zero(most), in_words: &in_words };
        let ratio = number(100.0 * (first.to_ms / first.from_ms - 1.0));
        let caption =
            html! { b { "Orders by latency" } ", orders in a bar, each " (ratio) " % wider than the one before" };
        let figure = plot.figure(
            &caption,
            &html! {
                (plot.stretched(&html! {
                    @for bar in self.bars.iter().filter(|bar| bar.orders > 0.0) {
                        path.bar d=(plot.bar(bar.from_ms, bar.to_ms, bar.orders)) {
                            title { (number(bar.from_ms)) " to " (number(bar.to_ms)) " ms: about " (grouped(bar.orders.round().max(1.0) as u64)) " orders" }
                        }
                    }
                }))
                // Above the bars, and away from each other.
                @for (index, (name, ms)) in self.marks.iter().enumerate() {
                    @let place = x.place(*ms);
                    @let is_left = place > if index == 0 { 0.2 } else { 0.8 };
                    @let y = if index > 0 && is_left { -22.0 } else { -6.0 };
                    line.mark x1=(percent(place)) x2=(percent(place)) y1=(y - 10.0) y2=(HEIGHT) {}
                    text.mark x=(percent(place)) y=(y) dx=(if is_left { "-6" } else { "6" }) text-anchor=(if is_left { "end" } else { "start" }) {
                        (name) " " (number(*ms)) " ms"
                    }
                }
            },
        );
        html! { div.spread { (figure) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_in_a_bar() {
        for values in [vec![1], vec![40_000; 100], (1..5_000).map(|n| n * n).collect()] {
            let mut latency = Histogram::<u32>::new_with_bounds(1, 600_000_000, 2).unwrap();
            values.iter().for_each(|value| latency.record(*value).unwrap());
            let spread = Spread::of(&latency).unwrap();
            let orders: f64 = spread.bars.iter().map(|bar| bar.orders).sum();
            assert!((orders - values.len() as f64).abs() < 1e-6 * orders, "{orders} of {}", values.len());
            assert!(spread.bars.len() <= BARS + 1, "{}", spread.bars.len());
        }
    }

    #[test]
    fn without_orders_there_is_none() {
        assert!(Spread::of(&Histogram::new_with_bounds(1, 600_000_000, 2).unwrap()).is_none());
    }
}
