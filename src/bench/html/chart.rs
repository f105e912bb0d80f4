//! Charts as SVG: axes with ticks, lines, bars. Colours come from the page's style.

use std::fmt::Write;

/// In SVG units; the page scales it.
pub(super) const WIDTH: f64 = 760.0;
pub(super) const HEIGHT: f64 = 280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// From values to places on an axis.
#[derive(Clone, Debug)]
pub(super) enum Scale {
    Linear { min: f64, max: f64 },
    Log { min: f64, max: f64 },
}

impl Scale {
    /// From zero to a round number above.
    pub(super) fn from_zero(max: f64) -> Scale {
        let step = step(max.max(1e-9) / 4.0);
        Scale::Linear { min: 0.0, max: (max.max(1e-9) / step).ceil() * step }
    }

    /// Over these positive values, with a little room.
    pub(super) fn log(min: f64, max: f64) -> Scale {
        let min = min.max(1.0);
        let max = max.max(min * 1.5);
        Scale::Log { min: min / 1.15, max: max * 1.15 }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear { min, max } => (value - min) / (max - min),
            Scale::Log { min, max } => (value.max(*min) / min).ln() / (max / min).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Round values on it.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match *self {
            Scale::Linear { min, max } => {
                let step = step((max - min) / 5.0);
                let first = (min / step).ceil();
                (0..12)
                    .map(|i| (first + f64::from(i)) * step)
                    .take_while(|v| *v <= max * 1.0001)
                    .collect()
            }
            Scale::Log { min, max } => {
                // With few decades there is room for more of each.
                let of_each: &[f64] = match (max / min).log10() {
                    decades if decades < 1.2 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
                    decades if decades < 3.0 => &[1.0, 2.0, 5.0],
                    _ => &[1.0],
                };
                let first = min.log10().floor() as i32;
                let decades = (first..first + 14).map(|power| 10f64.powi(power));
                let all = decades.flat_map(|ten| of_each.iter().map(move |of| of * ten));
                all.filter(|value| (min..=max).contains(value)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below.
fn step(about: f64) -> f64 {
    let ten = 10f64.powf(about.max(1e-12).log10().floor());
    let of = [1.0, 2.0, 5.0, 10.0].into_iter().find(|of| of * ten >= about * 0.9999);
    of.unwrap_or(10.0) * ten
}

/// A chart that is being drawn.
pub(super) struct Chart {
    svg: String,
    x: Scale,
    y: Scale,
}

impl Chart {
    /// The axes; labels are made of the ticks' values.
    pub(super) fn new(
        label: &str,
        (x, x_ticks): (Scale, Vec<(f64, String)>),
        (y, y_label): (Scale, &dyn Fn(f64) -> String),
    ) -> Chart {
        let svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
        let mut chart = Chart { svg, x, y };
        for value in chart.y.ticks() {
            let at = chart.up(value);
            chart.put(format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                y_label(value)
            ));
        }
        for (value, text) in x_ticks {
            let at = chart.along(value);
            let bottom = HEIGHT - BOTTOM;
            chart.put(format_args!(
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/>\
                 <text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>\n",
                bottom + 20.0
            ));
        }
        chart
    }

    /// A line through these points.
    pub(super) fn line(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in points {
            let sign = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{sign}{:.1} {:.1}", self.along(x), self.up(y));
        }
        if !path.is_empty() {
            self.put(format_args!("<path class=\"line {class}\" d=\"{path}\"/>\n"));
        }
    }

    /// A bar from the axis to `y`; `hint` is shown when it is pointed at.
    pub(super) fn bar(&mut self, class: &str, (from, to): (f64, f64), y: f64, hint: &str) {
        let (left, right, top) = (self.along(from), self.along(to), self.up(y));
        let width = (right - left - 1.0).max(0.8);
        let height = (HEIGHT - BOTTOM - top).max(0.0);
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{hint}</title></rect>\n"
        ));
    }

    /// The finished image.
    pub(super) fn end(mut self) -> String {
        self.put(format_args!("</svg>\n"));
        self.svg
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a text can't fail.
        let _ = self.svg.write_fmt(text);
    }

    fn along(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn up(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        assert_eq!(Scale::from_zero(87.0).ticks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::from_zero(0.0).ticks().first(), Some(&0.0));
        assert_eq!(Scale::log(50.0, 900.0).ticks(), [50.0, 100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(Scale::log(1e3, 9e6).ticks(), [1e3, 1e4, 1e5, 1e6, 1e7]);
        for (min, max) in [(0.0, 0.0), (1.0, 1.0), (5.0, 3.6e12)] {
            let ticks = Scale::log(min, max).ticks();
            assert!((1..20).contains(&ticks.len()), "{min} {max}: {ticks:?}");
        }
    }

    #[test]
    fn places_stay_within() {
        for scale in [Scale::from_zero(10.0), Scale::log(1.0, 10.0)] {
            for value in [-1.0, 0.0, 5.0, 1e9, f64::NAN] {
                assert!((0.0..=1.0).contains(&scale.place(value)), "{scale:?} {value}");
            }
        }
    }
}
