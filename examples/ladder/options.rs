//! The command line, and the folder that is served if none is named.

use crate::level::{LEVELS, Level};
use crate::site::Site;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
Usage: ladder [OPTIONS]          load all levels and draw what becomes of them
       ladder LEVEL [OPTIONS]    serve one level, 1 to 10

Climbing:
  --quick               one minute instead of five
  --out DIR             where charts and page go [default: target/ladder]
  --levels 1,4,10       only these
  --connections 1,100   numbers of connections [default: 1,10,100,1000,10000]
  --seconds S           time for all of it

Serving:
  --port N              TCP port on 127.0.0.1; 0 for any that is free [default: 8080]
  --root DIR            the folder behind /files/ [default: a small one, made for it]
  --clients N           connections at once, from level 07 on [default: 12000]
  --database FILE       visitors of level 09 [default: target/ladder/visits.db]

  --help                this text
";

pub(crate) enum Command {
    Serve(&'static Level, Site),
    Climb(Climb),
}

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Climb {
    pub(crate) out: PathBuf,
    pub(crate) levels: Vec<&'static Level>,
    pub(crate) connections: Vec<usize>,
    /// For all of it.
    pub(crate) time: Duration,
}

const OUT: &str = "target/ladder";
/// Ten thousand, and some more that come beside them.
const CLIENTS_MAX: usize = 12_000;
const CONNECTIONS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Less than five minutes and one: what is under way is ended, then drawn.
const LONG: Duration = Duration::from_secs(285);
const QUICK: Duration = Duration::from_secs(55);

/// `None`: help was asked for.
///
/// # Errors
/// One line that says what is wrong.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Command>, String> {
    let mut site = Site {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
        root: Path::new(OUT).join("site/files"),
        clients_max: CLIENTS_MAX,
        database: Path::new(OUT).join("visits.db"),
    };
    let mut climb = Climb {
        out: OUT.into(),
        levels: LEVELS.iter().collect(),
        connections: CONNECTIONS.to_vec(),
        time: LONG,
    };
    let mut serve = None;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--quick" => climb.time = QUICK,
            "--out" => climb.out = value()?.into(),
            "--levels" => climb.levels = list(&arg, &value()?, level)?,
            "--connections" => climb.connections = list(&arg, &value()?, connections)?,
            "--seconds" => climb.time = Duration::from_secs(number(&arg, &value()?)?),
            "--port" => site.address.set_port(number(&arg, &value()?)?),
            "--root" => site.root = value()?.into(),
            "--clients" => site.clients_max = number(&arg, &value()?)?,
            "--database" => site.database = value()?.into(),
            other => match level(other) {
                Ok(level) if serve.is_none() => serve = Some(level),
                _ => return Err(format!("{other:?} is neither an option nor a level")),
            },
        }
    }
    Ok(Some(match serve {
        Some(level) => Command::Serve(level, site),
        None => Command::Climb(climb),
    }))
}

fn list<T>(
    flag: &str,
    text: &str,
    item: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    text.split(',').map(|text| item(text).map_err(|why| format!("{flag}: {why}"))).collect()
}

fn level(text: &str) -> Result<&'static Level, String> {
    text.parse().ok().and_then(Level::of).ok_or_else(|| format!("{text:?} is no level"))
}

fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    count.ok_or_else(|| format!("{text:?} is no number of connections"))
}

fn number<T: FromStr>(flag: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{flag} {text:?}: not a number, or out of range"))
}

/// What no visitor should ever see: it lies beside the folder that is served.
pub(crate) const SECRET: &str = "the secret\n";
/// A slow file's length: some reads of a slow reader.
const SLOW_BYTES: usize = 64 * 1024;

/// Makes the folder that is served if none is named, and the database's.
///
/// # Errors
/// What the disk says.
pub(crate) fn prepare(site: &Site) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = site.database.parent() {
        fs::create_dir_all(folder)?;
    }
    if site.root == Path::new(OUT).join("site/files") {
        demo(Path::new(OUT))?;
    }
    Ok(())
}

/// Makes `site/files` in a folder, and a secret beside it.
///
/// # Errors
/// What the disk says.
pub(crate) fn demo(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let root = out.join("site/files");
    fs::create_dir_all(&root)?;
    fs::write(root.join("page.txt"), "a file\n")?;
    fs::write(root.join("slow.txt"), "slow\n".repeat(SLOW_BYTES / 5))?;
    fs::write(out.join("site/secret.txt"), SECRET)?;
    Ok(root)
}
