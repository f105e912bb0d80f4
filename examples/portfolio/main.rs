//! A portfolio: what an application on onepoll looks like when it is finished.
//!
//! ```text
//! cargo run --release --example portfolio
//! ```
//!
//! Then open <http://127.0.0.1:8000/>. One process, a database in a file, nothing to
//! set up. Where to read what:
//!
//! | File | What it is about |
//! |---|---|
//! | `args.rs` | the command line |
//! | `main.rs` | start and end |
//! | `routes.rs` | who answers what, and what stands around it: read this first |
//! | `site.rs` | what all handlers share |
//! | `pages.rs` | the home page and profiles |
//! | `contact.rs` | a form: checked, shown again with its errors, saved |
//! | `uploads.rs` | files, in and out |
//! | `api.rs` | JSON, in and out |
//! | `live.rs` | how many visitors there are, told to all of them |
//! | `errors.rs` | pages for what goes wrong |
//! | `assets.rs`, `templates/`, `static/` | what is sent, built into the program |
//! | `store.rs` | messages, in SQLite |
//! | `shelf.rs` | files, in a folder |
//!
//! Handlers run on the loop's one thread and must not wait for anything. So there are
//! two kinds of them: what works with memory alone answers at once, and what touches
//! the database or the disk is marked by `offload` in `routes.rs` and runs on a helper
//! thread. What a visitor was told is saved *is* saved, also if the power goes off.

#![expect(unreachable_pub, reason = "in a program, `pub` means: for its other files")]

mod api;
mod args;
mod assets;
mod contact;
mod errors;
mod live;
mod pages;
mod routes;
mod shelf;
mod site;
mod store;
mod uploads;

use args::Args;
use onepoll::middleware::HostGuard;
use onepoll::net::tls::Tls;
use onepoll::session::{Sessions, SqliteStore};
use onepoll::{Handle, Server};
use shelf::Shelf;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use site::Site;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use store::Messages;

/// How long requests that are under way may take once the server is to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("portfolio: {why}; --help lists what there is");
            return ExitCode::from(2);
        }
    };
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("portfolio: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal ends it.
fn serve(args: &Args) -> Result<(), Box<dyn Error>> {
    simple_logger::SimpleLogger::new().with_level(log::LevelFilter::Warn).env().init()?;
    // The port first: two servers on one folder would get in each other's way.
    let server = match args.tls_self_signed {
        true => Server::bind_tls(args.address(), &Tls::self_signed(args.certified())?)?,
        false => Server::bind(args.address())?,
    };

    let in_data = |name: &str| args.data.join(name);
    std::fs::create_dir_all(&args.data).map_err(|why| format!("{}: {why}", args.data.display()))?;
    let sessions = Sessions::new(SqliteStore::open(in_data("sessions.db"))?);
    let messages = Messages::open(&in_data("messages.db"))?;
    let site = Site::new(assets::templates(args)?, messages, Shelf::open(&in_data("uploads"))?);

    // Only answers to its own names, so that no other site's name can be made to
    // lead here (DNS rebinding).
    let hosts = HostGuard::of(server.local_addrs()).and(HostGuard::new(&args.names)?);
    let scheme = if args.tls_self_signed { "https" } else { "http" };
    let url = format!("{scheme}://{}/", server.local_addr()?);
    let running = server.start(routes::app(&site, sessions, hosts)?)?;
    watch_signals(running.handle())?;
    println!("The portfolio is at {url}");
    Ok(running.run()?)
}

/// Ctrl-C lets requests finish; a second one does not.
fn watch_signals(handle: Handle) -> std::io::Result<()> {
    // SIGXFSZ comes where a file would grow beyond the process's limit (`ulimit -f`).
    // It would end the process; when somebody watches for it, the writing fails.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGXFSZ])?;
    let wait = move || {
        let mut asked = signals.forever().filter(|signal| *signal != SIGXFSZ);
        asked.next();
        handle.drain(DRAIN_LIMIT);
        asked.next();
        handle.stop();
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}
