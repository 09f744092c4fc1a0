//! A bar chart as SVG: one bar a peer, shorter is better. The scale is logarithmic when the peers are far apart.

use std::fmt::Write;

use super::report::shown;

const WIDTH: f64 = 720.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;
const LEFT: f64 = 110.0;
const TOP: f64 = 56.0;
/// From this ratio of the longest to the shortest on, the scale is logarithmic.
const LOGARITHMIC_FROM: f64 = 20.0;

/// Draws the figures.
pub fn bars(title: &str, unit: &str, figures: &[(&str, f64)]) -> String {
    let sizes = || figures.iter().map(|(_, figure)| figure.max(0.0));
    let longest = sizes().fold(f64::MIN_POSITIVE, f64::max);
    let shortest = sizes().filter(|size| *size > 0.0).fold(longest, f64::min);
    let is_logarithmic = longest / shortest > LOGARITHMIC_FROM;
    let share = |figure: f64| match is_logarithmic {
        false => figure.max(0.0) / longest,
        true if figure <= 0.0 => 0.0,
        true => (1.0 + (figure / shortest).log10()) / (1.0 + (longest / shortest).log10()),
    };
    let height = TOP + (BAR + GAP) * figures.len() as f64 + 8.0;
    let scale = if is_logarithmic { ", logarithmic scale" } else { "" };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"12\" y=\"42\" fill=\"#555555\">{}{scale}</text>\n",
        escaped(title),
        escaped(unit)
    );
    for (index, (name, figure)) in figures.iter().enumerate() {
        let top = TOP + (BAR + GAP) * index as f64;
        let width = share(*figure) * (WIDTH - LEFT - 90.0);
        let colour = if *name == "clawsec" { "#c2410c" } else { "#94a3b8" };
        let base = top + BAR - 6.0;
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{BAR}\" \
             fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{base:.0}\">{}</text>",
            LEFT - 8.0,
            escaped(name),
            LEFT + width + 6.0,
            shown(*figure)
        );
    }
    text.push_str("</svg>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_for_each_peer() {
        let drawing = bars("a < b", "µs", &[("clawsec", 10.0), ("nginx", 20.0)]);
        assert_eq!(drawing.matches("<rect").count(), 3);
        assert!(drawing.contains("a &lt; b"));
        assert!(!drawing.contains("logarithmic"));
        assert!(bars("", "", &[("clawsec", 1.0), ("slow", 100.0)]).contains("logarithmic"));
    }
}
