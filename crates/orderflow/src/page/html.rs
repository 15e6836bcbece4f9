use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Column, Figure, Page, Part, Section, Table};
use crate::page::plot::percent;
use crate::share::Share;
use crate::{grouped, shown};

/// How it looks, in light, in dark and on paper.
const STYLE: &str = include_str!("style.css");

/// Nothing is loaded, nothing runs, whatever the page is given.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Page {
    /// As one file.
    pub(crate) fn html(&self) -> String {
        let Self { origin, title, holds, verdict, figures, facts, sections } = self;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (shown(title)) ", " (shown(origin)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        header {
                            p.origin { (shown(origin)) }
                            h1 { (shown(title)) }
                            div.verdict.failed[!holds] {
                                p.word { @if *holds { "✓ Passed" } @else { "✗ Failed" } }
                                div { @for sentence in verdict { p { (sentence) } } }
                            }
                            ul.figures {
                                @for Figure { value, unit, name } in figures {
                                    li { span.name { (name) } span.value { (value) } " " span.unit { (unit) } }
                                }
                            }
                            dl { @for (name, value) in facts { div { dt { (name) } dd { (shown(value)) } } } }
                        }
                        @for Section { heading, parts } in sections {
                            section {
                                h2 { (heading) }
                                @for part in parts { (part.markup()) }
                            }
                        }
                    }
                }
            }
        }
        .into_string()
    }
}

impl Part {
    fn markup(&self) -> Markup {
        match self {
            Self::Text(text) => html! { p { (text) } },
            Self::Faults(faults) => html! { ul.faults { @for fault in faults { li { (shown(fault)) } } } },
            Self::Command(command) => html! { pre { code { (command) } } },
            Self::Table(table) => table.markup(),
            Self::Shares(shares) => self::shares(shares),
            Self::Spread(spread) => spread.markup(),
            Self::Course(course) => course.markup(),
            Self::Incidents(incidents) => incidents.markup(),
        }
    }
}

impl Table {
    fn markup(&self) -> Markup {
        let class = |column: &Column| matches!(column, Column::Numbers(_)).then_some("number");
        html! {
            div.wide {
                table {
                    thead { tr { @for column in &self.columns { th scope="col" class=[class(column)] { (column.name()) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr.fault[row.is_fault] {
                                @for (index, (cell, column)) in row.cells.iter().zip(&self.columns).enumerate() {
                                    @if index == 0 { th scope="row" { (shown(cell)) } }
                                    @else { td class=[class(column)] { (shown(cell)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Column {
    const fn name(&self) -> &'static str {
        match self {
            Self::Words(name) | Self::Numbers(name) => name,
        }
    }
}

fn shares(shares: &[Share]) -> Markup {
    html! {
        table.shares {
            thead { tr { th scope="col" { "Outcome" } th.number scope="col" { "Orders" } th.number scope="col" { "Share" } } }
            tbody {
                @for share in shares {
                    tr {
                        th scope="row" {
                            (share.name.replace('_', " "))
                            svg.share width="100%" height="14" aria-hidden="true" {
                                rect.track x="0" y="2" width="100%" height="10" rx="2" {}
                                rect.bar x="0" y="2" width=(percent(share.share())) height="10" rx="2" {}
                                @if let Some(configured) = share.configured {
                                    line.marker x1=(percent(configured)) x2=(percent(configured)) y1="0" y2="14" {}
                                }
                            }
                            @if let Some(told) = share.told() { span.note.unlikely[!share.is_likely()] { (told) } }
                        }
                        td.number { (grouped(share.count)) }
                        td.number { (format!("{:.1} %", 100.0 * share.share())) }
                    }
                }
            }
        }
    }
}
