//! What is shown of the folder, and how.

use crate::cli::values;
use onepoll::Error;
use onepoll::disk::Links;
use onepoll::files::Files;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct ContentArgs {
    /// The file that stands for its folder
    #[arg(long, value_name = "NAME", default_value = "index.html", value_parser = values::index)]
    index: String,

    /// List folders that have no index file
    #[arg(long)]
    listing: bool,

    /// Show names with a leading dot, too
    #[arg(long)]
    hidden: bool,

    /// Follow symbolic links, as long as they stay in the folder
    #[arg(long)]
    follow_symlinks: bool,

    /// Show files with these extensions only, like html,css; may be repeated
    #[arg(long, value_name = "EXT,..", value_delimiter = ',', value_parser = values::extension)]
    only: Vec<String>,

    /// Let browsers save files with these extensions; may be repeated
    #[arg(long, value_name = "EXT,..", value_delimiter = ',', value_parser = values::extension)]
    attachment: Vec<String>,

    /// Send FILE for pages that are not there, with status 200 [FILE if not given: index.html]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "index.html", value_parser = values::inside)]
    spa: Option<String>,

    /// Send FILE, a path in the folder, with every 404
    #[arg(long, value_name = "FILE", value_parser = values::inside)]
    page404: Option<String>,

    /// The media type of files with an extension, like wasm=application/wasm;
    /// may be repeated
    #[arg(long, value_name = "EXT=TYPE", value_parser = values::media_type)]
    media_type: Vec<(String, String)>,

    /// One more field of every reply, like 'X-Frame-Options: DENY'; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = values::header)]
    pub(crate) header: Vec<(String, String)>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    /// Cache-Control of files, like 'assets/**=max-age=3600'; may be repeated, the
    /// first that matches counts
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = values::cache_control)]
    cache_control: Vec<(String, String)>,

    /// Let clients keep files with a hash in their name, like app.5f3c9a1b.js, for ever
    #[arg(long)]
    immutable: bool,

    /// Memory for small files [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    cache_size: Option<u64>,

    /// Don't send NAME.br, NAME.zst or NAME.gz for NAME
    #[arg(long)]
    no_precompressed: bool,

    /// Don't compress what is sent
    #[arg(long)]
    no_gzip: bool,
}

impl ContentArgs {
    /// The folder with these settings.
    ///
    /// # Errors
    /// [`Error::Folder`] if it can't be served, [`Error::Config`] for a value
    /// that can't be used.
    pub(crate) fn files(&self, root: &Path, cache: &CacheArgs) -> Result<Files, Error> {
        let links = if self.follow_symlinks { Links::Within } else { Links::Refuse };
        let mut files = Files::new(root)?
            .links(links)?
            .index(&self.index)
            .listing(self.listing)
            .hidden(self.hidden)
            .only(&self.only)
            .attachment(&self.attachment)
            .immutable_hashed(cache.immutable)
            .precompressed(!cache.no_precompressed)
            .gzip(!cache.no_gzip);
        for (flag, path) in [("--spa", &self.spa), ("--page404", &self.page404)] {
            if let Some(path) = path
                && !root.join(path).is_file()
            {
                log::warn!("{flag}: there is no {path} in {} yet", root.display());
            }
        }
        if let Some(path) = &self.spa {
            files = files.spa(path);
        }
        if let Some(path) = &self.page404 {
            files = files.page404(path);
        }
        if let Some(bytes) = cache.cache_size {
            files = files.cache_bytes(bytes);
        }
        for (extension, media_type) in &self.media_type {
            files = files.media_type(extension, media_type)?;
        }
        for (name, value) in &self.header {
            files = files.header(name, value)?;
        }
        for (pattern, value) in &cache.cache_control {
            files = files.cache_control(pattern, value)?;
        }
        Ok(files)
    }
}
