//! Who may read, from where, and who may write.

use crate::cli::values;
use onepoll::Error;
use onepoll::files::Uploads;
use onepoll::middleware::{BasicAuth, Cors};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct AccessArgs {
    /// Let in this user; may be repeated. HASH is bcrypt's, as `htpasswd -nB` makes
    /// it, or sha256:HEX for a long random token
    #[arg(long, value_name = "USER:HASH")]
    auth: Vec<String>,

    /// Let in the users of a file, one USER:HASH a line; USER:plain:PASSWORD is
    /// taken there, too, and in the variable ONEPOLL_AUTH
    #[arg(long, value_name = "FILE")]
    auth_file: Vec<PathBuf>,

    /// Let scripts of this origin read replies, like https://app.example,
    /// http://localhost:* or *; may be repeated. With --upload those without a * may send
    /// files, too
    #[arg(long, value_name = "ORIGIN", value_parser = values::origin)]
    cors: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UploadArgs {
    /// Take files by PUT, and by the form of a listing
    #[arg(long)]
    pub(crate) upload: bool,

    /// The longest upload taken [default: 1GiB]
    #[arg(long, value_name = "SIZE", requires = "upload", value_parser = values::size)]
    upload_max: Option<u64>,

    /// Let an upload replace a file
    #[arg(long, requires = "upload")]
    overwrite: bool,
}

/// Users that other users of the machine don't get to see: one a line.
const VARIABLE: &str = "ONEPOLL_AUTH";
/// Fields that a script needs for parts of files, for caches and after uploads.
const EXPOSED: [&str; 5] =
    ["Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Location"];

impl AccessArgs {
    /// What asks for a password, if anybody has one.
    ///
    /// # Errors
    /// [`Error::Config`] for users that can't be read, [`Error::File`] for a file
    /// that can't.
    pub(crate) fn auth(&self) -> Result<Option<BasicAuth>, Error> {
        let variable = std::env::var(VARIABLE).unwrap_or_default();
        if self.auth.is_empty() && self.auth_file.is_empty() && variable.is_empty() {
            return Ok(None);
        }
        let mut auth = BasicAuth::new("onepoll")?;
        for user in &self.auth {
            if user.split(':').nth(1) == Some("plain") {
                let why = "everybody on this machine can see a command line: a plain password \
                           belongs into --auth-file or ONEPOLL_AUTH";
                return Err(Error::Config { field: "--auth:", why: why.to_owned() });
            }
            auth = auth.user(user)?;
        }
        for user in variable.lines().filter(|line| !line.is_empty()) {
            auth = auth.user(user)?;
        }
        for path in &self.auth_file {
            auth = auth.file(path)?;
        }
        if auth.users() == 0 {
            let why = "there is no user in it: nobody could come in".to_owned();
            return Err(Error::Config { field: "--auth-file:", why });
        }
        Ok(Some(auth))
    }

    /// What other sites' scripts may do, if anything.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no origin.
    pub(crate) fn cors(&self, uploads: &UploadArgs) -> Result<Option<Cors>, Error> {
        if self.cors.is_empty() {
            return Ok(None);
        }
        let may_send = uploads.upload && self.senders().next().is_some();
        let methods: &[&str] =
            if may_send { &["GET", "HEAD", "PUT", "POST"] } else { &["GET", "HEAD"] };
        Ok(Some(Cors::new(&self.cors)?.methods(methods)?.expose(EXPOSED)?))
    }

    /// Origins that were named: to let everybody read is one thing, to let every
    /// page that a visitor opens send files is another.
    fn senders(&self) -> impl Iterator<Item = &String> {
        self.cors.iter().filter(|origin| !origin.contains('*') && *origin != "null")
    }
}

impl UploadArgs {
    /// What is taken, if anything, and from which other sites' pages.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no origin.
    pub(crate) fn uploads(&self, access: &AccessArgs) -> Result<Option<Uploads>, Error> {
        if !self.upload {
            return Ok(None);
        }
        let mut uploads = Uploads::new().overwrite(self.overwrite);
        if let Some(bytes) = self.upload_max {
            uploads = uploads.max(bytes);
        }
        access.senders().try_fold(uploads, |uploads, origin| uploads.origin(origin)).map(Some)
    }
}
