//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub const USAGE: &str = "\
A portfolio: one process, an embedded database, no set-up.

Usage: portfolio [--port PORT] [--host HOST] [--data DIR] [--name NAME]...
                 [--tls-self-signed] [--templates DIR]

  --port PORT      where to listen [8000]; 0 for any that is free
  --host HOST      the address to listen on [127.0.0.1]
  --data DIR       where everything is kept [portfolio-data]; made if it isn't there
  --name NAME      answer to this name as well, example.com say; may be repeated
  --tls-self-signed
                   HTTPS, with a certificate made now for the host and all names:
                   for development, as browsers warn of it
  --templates DIR  read templates from there, anew for each request: for those who
                   work on them
  --help           this
";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Args {
    pub host: String,
    pub port: u16,
    pub data: PathBuf,
    pub names: Vec<String>,
    pub tls_self_signed: bool,
    pub templates: Option<PathBuf>,
}

impl Args {
    /// What a certificate is to be for: names and addresses, without ports.
    pub fn certified(&self) -> Vec<String> {
        let mut hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        hosts.extend(self.names.iter().chain([&self.host]).map(|name| bare(name)));
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Host and port as one text; an address of IPv6 has colons of its own.
    pub fn address(&self) -> String {
        match self.host.contains(':') && !self.host.starts_with('[') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The host of `host:port`, `[address]:port` or of either alone.
fn bare(name: &str) -> String {
    let host = match name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => match name.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => name,
        },
    };
    host.to_owned()
}

/// `--flag value` and `--flag=value`; `None` if it is help that is wanted.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
    let mut parsed = Args {
        host: "127.0.0.1".to_owned(),
        port: 8000,
        data: "portfolio-data".into(),
        names: Vec::new(),
        tls_self_signed: false,
        templates: None,
    };
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let (flag, inline) = match text.split_once('=') {
            Some((flag, value)) => (flag, Some(OsString::from(value))),
            None => (text.as_str(), None),
        };
        if matches!(flag, "--help" | "-h") {
            return Ok(None);
        }
        if text == "--tls-self-signed" {
            parsed.tls_self_signed = true;
            continue;
        }
        if !matches!(flag, "--port" | "--host" | "--data" | "--name" | "--templates") {
            return Err(format!("there is no `{text}`"));
        }
        let value = inline.or_else(|| args.next());
        let value = value.filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("{flag} needs a value"))?;
        let text = || value.to_string_lossy().into_owned();
        match flag {
            "--port" => {
                let bad = |_| format!("--port {}: a port is a number from 0 to 65535", text());
                parsed.port = text().parse().map_err(bad)?;
            }
            "--host" => parsed.host = text(),
            "--name" => parsed.names.push(text()),
            "--data" => parsed.data = value.into(),
            _ => parsed.templates = Some(value.into()),
        }
    }
    Ok(Some(parsed))
}
