//! A level in a process of its own: this program once more, with a number.

use crate::level::Level;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a process takes of the system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) threads: u64,
    /// Memory in RAM, in bytes.
    pub(crate) memory: u64,
}

impl Server {
    /// Starts a level, and waits until it listens.
    ///
    /// # Errors
    /// It can't be started, or doesn't say where it listens.
    pub(crate) fn start(level: &Level, out: &Path) -> Result<Server, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(level.number.to_string())
            .args(["--port", "0", "--root"])
            .arg(out.join("site/files"))
            .arg("--database")
            .arg(out.join("site/visits.db"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let said = match child.stdout.take() {
            Some(stdout) => BufReader::new(stdout).read_line(&mut line).map(|_| ()),
            None => Ok(()),
        };
        let address = line.trim_end().rsplit('/').next().and_then(|text| text.parse().ok());
        match (said, address) {
            (Ok(()), Some(address)) => Ok(Server { child, address }),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("level {} doesn't listen", level.number).into())
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Now; zero if it is gone.
    pub(crate) fn usage(&self) -> Usage {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Usage {
            threads: field("Threads:").unwrap_or(0),
            memory: field("VmRSS:").unwrap_or(0) * 1024,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
