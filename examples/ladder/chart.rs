//! Charts as SVG: a small one for each level, side by side, all with the same axes.
//!
//! Ten lines in one chart would be a tangle; ten small charts are read like a strip of
//! pictures: where does the line break?

use crate::run::{Measured, Row};
use crate::table::{bytes, count, time};
use std::fmt::Write;
use std::time::Duration;

/// What is drawn against the connections.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// `None`: there is nothing to be drawn.
    pub(crate) value: fn(&Measured) -> Option<f64>,
    pub(crate) label: fn(f64) -> String,
    pub(crate) scale: Scale,
}

#[derive(Clone, Copy)]
pub(crate) enum Scale {
    Linear,
    Log,
}

pub(crate) const FIGURES: [Figure; 4] = [
    Figure {
        name: "throughput",
        title: "Throughput: replies a second",
        value: |it| Some(it.rate),
        label: short,
        scale: Scale::Linear,
    },
    Figure {
        name: "p99",
        title: "Latency: 99 of 100 replies came within",
        value: |it| it.p99.map(|time| time.as_secs_f64()),
        label: |value| time(Duration::from_secs_f64(value)),
        scale: Scale::Log,
    },
    Figure {
        name: "memory",
        title: "Memory of the server",
        value: |it| (it.usage.memory > 0).then_some(it.usage.memory as f64),
        label: bytes,
        scale: Scale::Log,
    },
    Figure {
        name: "threads",
        title: "Threads of the server",
        value: |it| (it.usage.threads > 0).then_some(it.usage.threads as f64),
        label: short,
        scale: Scale::Log,
    },
];

const STYLE: &str = "<style>
svg { --text: #1c1f23; --dim: #626a73; --rule: #e3e5e8; --a: #1f6fd6; --bad: #c62828;
  --card: #fff; font: 11px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --text: #e6e8ea; --dim: #9aa3ac; --rule: #2f353b;
  --a: #63a4ff; --bad: #ff7b72; --card: #1c2024 } }
.t { fill: var(--text); font-weight: 600; font-size: 12px } .l { fill: var(--dim) }
.y { text-anchor: end } .x { text-anchor: middle } .g { stroke: var(--rule); fill: none }
.alone { stroke: var(--dim); stroke-dasharray: 4 3; fill: none; stroke-width: 1.5 }
.company { stroke: var(--a); fill: none; stroke-width: 2.25; stroke-linejoin: round }
.dot { fill: var(--a) } .ring { fill: var(--card); stroke: var(--bad); stroke-width: 2 }
</style>
";

const COLUMNS: usize = 5;
const PANEL: (f64, f64) = (150.0, 96.0);
/// From one panel to the next.
const STEP: (f64, f64) = (168.0, 150.0);
/// Room for the labels of the axes, and for the names.
const LEFT: f64 = 62.0;
const TOP: f64 = 26.0;

/// An image of its own.
pub(crate) fn draw(figure: &Figure, rows: &[Row]) -> String {
    let all = rows.iter().flat_map(|row| &row.cells);
    let all = all.flat_map(|cell| [cell.alone, cell.company]).flatten();
    let axis = Axis::of(figure, all.filter_map(|it| (figure.value)(&it)));
    let lines = rows.len().div_ceil(COLUMNS).max(1);
    let columns = rows.len().clamp(1, COLUMNS);
    let (width, height) = (LEFT + STEP.0 * columns as f64, STEP.1 * lines as f64 + 6.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{}\">\n{STYLE}",
        figure.title
    );
    for (at, row) in rows.iter().enumerate() {
        let left = LEFT + STEP.0 * (at % COLUMNS) as f64;
        let top = TOP + STEP.1 * (at / COLUMNS) as f64;
        let place = format!("<g transform=\"translate({left} {top})\">\n");
        svg += &(place + &panel(figure, row, &axis, at % COLUMNS == 0) + "</g>\n");
    }
    svg + "</svg>\n"
}

fn panel(figure: &Figure, row: &Row, axis: &Axis, labelled: bool) -> String {
    let (width, height) = PANEL;
    let mut svg = format!("<text class=\"t\" x=\"0\" y=\"-9\">{}</text>\n", row.level.title());
    for tick in &axis.ticks {
        let y = axis.up(*tick);
        let _ = writeln!(svg, "<path class=\"g\" d=\"M0 {y:.1}H{width}\"/>");
        if labelled {
            let (label, y) = ((figure.label)(*tick), y + 4.0);
            let _ = writeln!(svg, "<text class=\"l y\" x=\"-7\" y=\"{y:.1}\">{label}</text>");
        }
    }
    let last = row.cells.len().saturating_sub(1).max(1) as f64;
    let along = |at: usize| 6.0 + (width - 12.0) * at as f64 / last;
    for (at, cell) in row.cells.iter().enumerate() {
        let (x, label) = (along(at), short(cell.connections as f64));
        let y = height + 18.0;
        let _ = writeln!(svg, "<text class=\"l x\" x=\"{x:.1}\" y=\"{y}\">{label}</text>");
    }
    let points = |of: fn(&crate::run::Cell) -> Option<Measured>| {
        let cells = row.cells.iter().enumerate();
        cells.map(move |(at, cell)| (at, of(cell).as_ref().and_then(figure.value)))
    };
    let line = |points: &mut dyn Iterator<Item = (usize, Option<f64>)>| {
        let mut path = String::new();
        let mut pen = 'M';
        for (at, value) in points {
            // A gap where there is nothing.
            let Some(value) = value else {
                pen = 'M';
                continue;
            };
            let _ = write!(path, "{pen}{:.1} {:.1}", along(at), axis.up(value));
            pen = 'L';
        }
        path
    };
    let (alone, company) =
        (line(&mut points(|cell| cell.alone)), line(&mut points(|cell| cell.company)));
    let _ = writeln!(svg, "<path class=\"alone\" d=\"{alone}\"/>");
    let _ = writeln!(svg, "<path class=\"company\" d=\"{company}\"/>");
    for (at, cell) in row.cells.iter().enumerate() {
        let Some(it) = cell.company else { continue };
        let value = (figure.value)(&it);
        // Nobody got a reply: there is no time, or an endless one.
        let y = value.map_or(0.0, |value| axis.up(value));
        let mut hint = value.map_or("no reply at all".into(), figure.label);
        let (class, radius) = if it.unanswered > 0 { ("ring", 4) } else { ("dot", 3) };
        if it.unanswered > 0 {
            let _ = write!(hint, "; {} without a reply", count(it.unanswered as f64));
        }
        let _ = writeln!(
            svg,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\">\
             <title>{} connections: {hint}</title></circle>",
            along(at),
            count(cell.connections as f64)
        );
    }
    svg
}

/// From values to heights.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn of(figure: &Figure, values: impl Iterator<Item = f64>) -> Axis {
        let values = values.filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) = values
            .fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if high > 0.0 { (low, high) } else { (1.0, 10.0) };
        let base = if figure.name == "memory" { 1024.0 * 1024.0 } else { 1.0 };
        match figure.scale {
            Scale::Linear => {
                let ten = 10f64.powf((high / 4.0).log10().floor());
                let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|of| of * ten);
                let step = steps.into_iter().find(|step| step * 4.0 >= high).unwrap_or(high / 4.0);
                let ticks = (0..=4).map(|at| step * f64::from(at)).collect();
                Axis { scale: figure.scale, low: 0.0, high: step * 4.0, ticks }
            }
            Scale::Log => {
                let power = |value: f64| (value / base).log10();
                let (from, to) = (power(low).floor() as i32, power(high).ceil() as i32);
                let to = to.max(from + 1);
                let ticks = (from..=to).map(|power| base * 10f64.powi(power)).collect();
                let of = |power| base * 10f64.powi(power);
                Axis { scale: figure.scale, low: of(from), high: of(to), ticks }
            }
        }
    }

    fn up(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        PANEL.1 * (1.0 - if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
    }
}

/// `10k`
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}
