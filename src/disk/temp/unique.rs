//! Names that nobody has yet: a file gets one in a single step, or the next.
//!
//! To look for a free name and then to take it would be a race between two
//! uploads. Here each name is simply tried, and the system says whether it was
//! free: no file is ever overwritten, whoever else writes into the folder.

use super::{Existing, Folder, TempFile};
use crate::http::date;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest name that Linux knows, in bytes.
const NAME_MAX: usize = 255;
/// Longer endings in bytes, the dot included, are no extensions.
const EXTENSION_MAX: usize = 16;
/// `cat.jpg`, then `cat-2.jpg` to `cat-9.jpg`; then a time is put behind it,
/// as whoever sends the same name a thousand times must not have it looked for
/// a thousand times.
const NUMBERED_MAX: u32 = 9;
/// Names that are tried within one microsecond.
const STAMPED_MAX: u32 = 1000;

impl Folder {
    /// Saves that content under a name like `upload-20261121T055332-123456.json`:
    /// the prefix, the time (UTC, to the microsecond), the extension. If that is
    /// taken, `-2` and so on comes behind the time. The name is returned. With
    /// `sync`, content and name are on the disk then.
    ///
    /// ```
    /// use onepoll::disk::Folder;
    /// # let path = std::env::temp_dir().join(format!("onepoll-save-{}", std::process::id()));
    /// # std::fs::create_dir_all(&path)?;
    /// let folder = Folder::open(&path)?;
    /// let name = folder.save_stamped("upload-", "json", b"{}", true)?;
    /// assert!(name.starts_with("upload-") && name.ends_with(".json"));
    /// assert_eq!(std::fs::read(path.join(name))?, b"{}");
    /// # std::fs::remove_dir_all(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the system says; nothing is left then.
    pub fn save_stamped(
        &self,
        prefix: &str,
        extension: &str,
        content: &[u8],
        sync: bool,
    ) -> io::Result<String> {
        let mut file = self.create()?;
        file.write_all(content)?;
        if sync {
            file.sync()?;
        }
        let name = file.place_stamped(prefix, extension)?;
        if sync {
            self.sync()?;
        }
        Ok(name)
    }
}

impl TempFile {
    /// Gives it this name or, if that is taken, one like it: `cat.jpg`, then
    /// `cat-2.jpg` to `cat-9.jpg`, then `cat-20261121T055332-123456.jpg`. The
    /// name that it has got is returned. Names that are too long are shortened.
    ///
    /// # Errors
    /// As for [`place`](TempFile::place).
    pub fn place_numbered(&mut self, name: &str) -> io::Result<String> {
        let (stem, extension) = split(name);
        let numbered = (2..=NUMBERED_MAX).map(|n| joined(stem, &format!("-{n}"), extension));
        let first = std::iter::once(joined(stem, "", extension)).chain(numbered);
        match self.place_first(first) {
            Err(error) if is_taken(&error) => {
                self.place_first(stamped(stem, "-", extension, SystemTime::now()))
            }
            other => other,
        }
    }

    /// Gives it a name like `upload-20261121T055332-123456.json`, as
    /// [`save_stamped`](Folder::save_stamped) does, which is returned. The
    /// extension may be empty, and comes without its dot.
    ///
    /// # Errors
    /// As for [`place`](TempFile::place).
    pub fn place_stamped(&mut self, prefix: &str, extension: &str) -> io::Result<String> {
        let dot = if extension.is_empty() { "" } else { "." };
        self.place_first(stamped(prefix, "", &format!("{dot}{extension}"), SystemTime::now()))
    }

    /// The first of these names that is free.
    fn place_first(&mut self, names: impl Iterator<Item = String>) -> io::Result<String> {
        for name in names {
            match self.place(name.as_bytes(), Existing::Keep) {
                Ok(_) => return Ok(name),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory)
}

/// Names with that time in them, each as good as the other.
fn stamped(
    stem: &str,
    between: &str,
    extension: &str,
    now: SystemTime,
) -> impl Iterator<Item = String> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = date::rfc3339(since.as_secs());
    let digits = date.iter().filter(|b| b.is_ascii_digit() || **b == b'T');
    let date: String = digits.map(|&b| char::from(b)).collect();
    let time = format!("{between}{date}-{:06}", since.subsec_micros());
    (1..=STAMPED_MAX).map(move |n| match n {
        1 => joined(stem, &time, extension),
        _ => joined(stem, &format!("{time}-{n}"), extension),
    })
}

/// Name and extension, which has its dot and may be empty.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.').and_then(|dot| name.split_at_checked(dot)) {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= EXTENSION_MAX => {
            (stem, extension)
        }
        _ => (name, ""),
    }
}

/// The three as one name; of the stem, what there is room for.
fn joined(stem: &str, middle: &str, extension: &str) -> String {
    let room = NAME_MAX.saturating_sub(middle.len() + extension.len());
    let end = (0..=room.min(stem.len())).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or(0);
    format!("{}{middle}{extension}", stem.get(..end).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn stamps_and_numbers() {
        let now = UNIX_EPOCH + Duration::from_micros(784_111_777_000_042);
        let names: Vec<_> = stamped("up-", "", ".json", now).take(2).collect();
        assert_eq!(names, ["up-19941106T084937-000042.json", "up-19941106T084937-000042-2.json"]);
        let table = [
            ("cat.jpg", "cat", ".jpg"),
            ("cat", "cat", ""),
            (".cat", ".cat", ""),
            ("a.b.c", "a.b", ".c"),
            ("no. This is no extension", "no. This is no extension", ""),
        ];
        for (name, stem, extension) in table {
            assert_eq!(split(name), (stem, extension));
            assert_eq!(joined(stem, "", extension), name);
        }
        let long = "é".repeat(200);
        let name = joined(&long, "-2", ".jpg");
        assert!(name.len() <= NAME_MAX && name.ends_with("é-2.jpg"), "{}", name.len());
    }
}
