//! The page: one file with all charts, no script, nothing from elsewhere; and the
//! charts once more as files of their own.

use crate::chart::{FIGURES, draw};
use crate::run::{Ascent, Measured, Row};
use crate::table::{QUESTIONS, bytes, count, seen, time};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

const STYLE: &str = include_str!("page.css");

const INTRO: &str = "
<h1>The ladder</h1>
<p class=\"dim\">Ten servers for the same small site, from the first one that anybody would write
to onepoll. Each was loaded alone, and then in company: with a reader of slow files and a slowloris
among its clients. The requests are for a text of a few bytes, and each connection sends one when the
reply to the one before has come (a closed loop: a stall counts once for each connection, so look
at the throughput for it, too). Load and server share one machine.</p>
";

const KEY: &str = "<p class=\"key\"><i class=\"alone\"></i>alone <i class=\"company\"></i>in company \
<i class=\"ring\"></i>somebody got no reply</p>\n";

/// Writes `index.html` and an SVG for each figure.
///
/// # Errors
/// What the disk says.
pub(crate) fn write(ascent: &Ascent, out: &Path) -> io::Result<()> {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>The ladder</title>\n\
         <style>\n{STYLE}</style>\n{INTRO}"
    );
    page += &levels(&ascent.rows);
    for figure in FIGURES {
        let svg = draw(&figure, &ascent.rows);
        fs::write(out.join(format!("{}.svg", figure.name)), &svg)?;
        let title = figure.title;
        let _ = writeln!(
            page,
            "<section><h2>{title}</h2>{KEY}<div class=\"wide\">{svg}</div>\
             <p class=\"dim\">against the number of connections</p></section>"
        );
    }
    page += &numbers(&ascent.rows);
    for note in &ascent.notes {
        let _ = writeln!(page, "<p class=\"dim\">{note}</p>");
    }
    let _ = write!(page, "<p class=\"dim\">It took {} s.</p>\n</html>\n", ascent.took.as_secs());
    fs::write(out.join("index.html"), page)
}

/// What each level's text says, and whether it was seen.
fn levels(rows: &[Row]) -> String {
    let mut html = String::from(
        "<section><h2>Where each level breaks</h2><div class=\"wide\"><table>\n<tr><th>level",
    );
    for (name, _) in QUESTIONS {
        let _ = write!(html, "<th>{name}");
    }
    html += "<th class=\"words\">its text says<th class=\"words\">seen\n";
    for row in rows {
        let _ = write!(html, "<tr><td>{}", row.level.title());
        for (_, answer) in QUESTIONS {
            let (well, word) = answer(row);
            let class = if well { "well" } else { "ill" };
            let _ = write!(html, "<td class=\"{class}\">{word}");
        }
        let (as_said, what) = seen(row);
        let sign = if as_said { "✓" } else { "✗" };
        let _ = writeln!(
            html,
            "<td class=\"words\">{}<td class=\"words\">{sign} {what}",
            row.level.breaks
        );
    }
    html += "</table></div>
<p class=\"dim\"><b>neighbour</b>: how long a client waits for a text while another waits for a
slow file. <b>slowloris</b>: when a client that sends a byte now and then is cut. <b>endless
head</b>: how much of it is taken. <b>../secret</b>: whether a path leads out of the folder.
<b>visits</b>: whether the second is known as one.</p></section>\n";
    html
}

fn numbers(rows: &[Row]) -> String {
    let mut html = String::from(
        "<section><h2>All numbers</h2><div class=\"wide\"><table>\n<tr><th>level<th>connections\
         <th>alone, a second<th>p99<th>no reply<th>in company, a second<th>p99<th>no reply\
         <th>threads<th>memory\n",
    );
    let side = |measured: Option<Measured>| match measured {
        Some(it) => {
            let p99 = it.p99.map_or("never".into(), time);
            let class = if it.unanswered > 0 { " class=\"ill\"" } else { "" };
            let (rate, unanswered) = (count(it.rate), count(it.unanswered as f64));
            format!("<td>{rate}<td>{p99}<td{class}>{unanswered}")
        }
        None => "<td>no time<td><td>".to_owned(),
    };
    for row in rows {
        for (at, cell) in row.cells.iter().enumerate() {
            let (class, title) =
                if at == 0 { (" class=\"first\"", row.level.title()) } else { ("", String::new()) };
            let connections = count(cell.connections as f64);
            let (alone, company) = (side(cell.alone), side(cell.company));
            let it = cell.company.unwrap_or_default();
            let _ = writeln!(
                html,
                "<tr{class}><td>{title}<td>{connections}{alone}{company}<td>{}<td>{}",
                count(it.usage.threads as f64),
                bytes(it.usage.memory as f64)
            );
        }
    }
    html + "</table></div></section>\n"
}
