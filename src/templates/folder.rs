//! The files of a folder, read as templates.

use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Contents by name: the path in the folder, with slashes.
pub(super) type Texts = BTreeMap<String, String>;

/// Reads all files below the folder. Blocks.
///
/// # Errors
/// [`Error::Folder`] and [`Error::File`]: what is too much, too large, or no UTF-8
/// counts as what can't be read.
pub(super) fn read(root: &Path) -> Result<Texts, Error> {
    let mut texts = Texts::new();
    visit(root, "", 0, &mut texts)?;
    Ok(texts)
}

fn visit(folder: &Path, prefix: &str, depth: usize, texts: &mut Texts) -> Result<(), Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    if depth > DEPTH_MAX {
        return Err(failed(io::Error::other("folders nest too deep: is there a circle?")));
    }
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        let failed = |source| Error::File { path: path.clone(), source };
        let kind = match path.metadata() {
            Ok(kind) => kind,
            // An editor's file that is gone again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        if kind.is_dir() {
            visit(&path, &format!("{name}/"), depth + 1, texts)?;
        } else if kind.is_file() {
            if texts.len() >= FILES_MAX {
                return Err(failed(io::Error::other("too many templates")));
            }
            texts.insert(name, text(&path).map_err(failed)?);
        }
    }
    Ok(())
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other("longer than a template may be"));
    }
    Ok(text)
}

/// Far more than a site has: a wrong folder was named.
const FILES_MAX: usize = 1000;
/// Bytes of a file at most, for the same reason.
const FILE_MAX: u64 = 1 << 20;
/// Links may lead in a circle.
const DEPTH_MAX: usize = 16;
