//! What signals do to a server that runs.
//!
//! ```text
//!   TERM, INT   not ready --(--shutdown-delay)--> drain --(--drain-limit)--> end
//!      again    end
//!   HUP         open logs anew; read settings again: what can be changed is, what
//!               can't is said; certificates
//!   USR1        the state of each loop, to the log
//! ```
//!
//! All of it happens on the signals' thread, which may read files; the loops are
//! told through their inboxes.

use super::args::{Command, ServeArgs};
use super::live::{Next, Renewal};
use super::notify::Notify;
use super::secrets::Secrets;
use super::settings::{self, Settings, Surroundings, Wrong};
use super::signals::Ask;
use super::site::{self, Site};
use super::takeover::Host;
use onepoll::files::Uploads;
use onepoll::middleware::LogHandle;
use onepoll::{Error, Handle};
use std::ffi::OsString;
use std::thread;

/// A server's life, from its start on.
pub(super) struct Life {
    pub(super) handle: Handle,
    pub(super) notify: Notify,
    /// Waits for the process that takes over.
    pub(super) host: Host,
    pub(super) log: Option<LogHandle>,
    /// Of each loop.
    pub(super) nexts: Vec<Next>,
    /// What all uploads have in common, whatever is served.
    pub(super) uploads: Uploads,
    /// Certificates, if there are any.
    pub(super) secrets: Secrets,
    /// The command line as it was typed.
    pub(super) words: Vec<OsString>,
    /// As they are in force.
    pub(super) settings: Settings,
}

/// The arguments of `serve` among settings that are its own.
pub(super) fn args(settings: &Settings) -> Option<&ServeArgs> {
    match &settings.args.command {
        Command::Serve(args) => Some(args),
        _ => None,
    }
}

impl Life {
    /// Does what a signal asks for.
    pub(super) fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Drain => self.leave(),
            Ask::Stop => {
                log::info!("asked again: stopping");
                self.handle.stop();
            }
            Ask::Reload => self.reload(),
            Ask::Report => self.handle.report(),
        }
    }

    fn leave(&self) {
        let Some(args) = args(&self.settings) else { return };
        let (delay, limit) = (args.life.shutdown_delay, args.life.drain_limit);
        self.notify.tell("STOPPING=1");
        self.host.close();
        let handle = self.handle.clone();
        let drain = move || {
            log::info!("asked to end: finishing what is under way, for {limit:?} at most");
            handle.drain(limit);
        };
        if delay.is_zero() {
            return drain();
        }
        log::info!("asked to end: not ready any more, serving on for {delay:?}");
        self.handle.unready();
        // This thread is to hear the next signal.
        let later = thread::Builder::new().name("onepoll-delay".to_owned());
        let later = later.spawn(move || {
            thread::sleep(delay);
            drain();
        });
        if let Err(error) = later {
            log::error!("no thread for --shutdown-delay: {error}: it is left out");
            self.handle.drain(limit);
        }
    }

    fn reload(&mut self) {
        self.notify.reloading();
        if let Some(log) = &self.log {
            log.reopen();
        }
        match self.renew() {
            Ok(()) => log::info!("settings were read again"),
            Err(why) => log::error!("{why}; the settings stay as they were"),
        }
        // Whatever came of the settings.
        self.secrets.reload();
        self.notify.tell("READY=1");
    }

    /// Reads all settings, and only if all of them can be used, uses them.
    fn renew(&mut self) -> Result<(), String> {
        let settings = settings::read(self.words.clone(), &Surroundings::real());
        let settings = settings.map_err(|wrong| match wrong {
            Wrong::Usage(error) => super::one_line(&error.to_string()),
            Wrong::Layer(line) => line,
        })?;
        let Some(args) = args(&settings) else { return Ok(()) };
        let said = |error: Error| error.to_string();
        let config = site::config(args).map_err(said)?;
        let sites = self.nexts.iter().map(|_| Site::new(args, &self.uploads));
        let sites: Vec<Site> = sites.collect::<Result<_, _>>().map_err(said)?;
        if let Some(site) = sites.first() {
            site.warn();
        }
        self.handle.configure(&config).map_err(said)?;
        for (next, site) in self.nexts.iter().zip(sites) {
            next.put(Renewal { site, config: config.clone() });
        }
        self.handle.turn();
        for (name, is_live) in settings::changes(&self.settings, &settings) {
            if is_live {
                log::info!("changed: {name}");
            } else {
                log::warn!("{name} has changed: that is for the next start");
            }
        }
        self.settings = settings;
        Ok(())
    }
}
